"""Real processes on one account: `worker.py` is one of them, `fleet.py` starts them and asks the emulator's witness."""
