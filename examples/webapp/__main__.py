"""Run the app with four workers against an emulator on this machine: ``python -m webapp``, in the folder above."""

import os
from pathlib import Path

import uvicorn

HERE = Path.cwd() / "webapp-data"

EMULATED = {
    "ONGAGE_BASE_URL": "http://127.0.0.1:8025",
    "ONGAGE_USERNAME": "user@example.com",
    "ONGAGE_PASSWORD": "emulated-password",
    "ONGAGE_ACCOUNT_CODE": "emulated_account",
    "ONGAGE_GOVERNOR": f"file://{HERE}/ongage.ledger",
    "WEBAPP_FOLDER": str(HERE),
    "WEBAPP_STAFF_TOKEN": "only for trying it out",
    "WEBAPP_WEBHOOK_SECRET": "only-for-trying-it-out",
}
"""What `ongage emulator --port 8025` expects; what is set in the environment wins."""

if __name__ == "__main__":
    HERE.mkdir(exist_ok=True)
    for name, value in EMULATED.items():
        os.environ.setdefault(name, value)
    uvicorn.run("webapp.app:app", port=8000, workers=4, timeout_graceful_shutdown=10)
