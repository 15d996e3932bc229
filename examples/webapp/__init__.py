"""A web app on Ongage to start from: sign-ups, receipts, a nightly load, the vendor's webhook, the budget page."""
