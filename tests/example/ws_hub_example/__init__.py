"""An extension of jupyter_ws_hub: a service in service.py, and its browser half in src/."""
