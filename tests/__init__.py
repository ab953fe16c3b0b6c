"""The tests of jupyter_ws_hub; the folders mirror the package."""
