"""Use the Ongage email platform from async Python at the full speed the account allows, and never faster."""

__version__ = "0.1.0"
