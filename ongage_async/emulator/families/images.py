"""Images and their folders: real types. Source: vendor page §3.16. Nothing is fetched; size and kind are made up."""

import mimetypes
from typing import Any

from ongage_async.emulator._answers import Answer, invalid, missing
from ongage_async.emulator._call import Call, as_id
from ongage_async.emulator._router import Route
from ongage_async.emulator._schema import COUNT, ID, TEXT, TIME, URL, array_of, record
from ongage_async.emulator._shape import Shape, gives


def create(call: Call) -> Answer:
    """Keep an image."""
    call.required("image_url")
    url, folder_id = str(call.fields["image_url"]), call.fields.get("folder_id")
    if not url.startswith(("http://", "https://")):
        raise invalid(errors={"image_url": "image_url must be a full URL"})
    if folder_id not in (None, 0) and as_id(folder_id) not in call.state.messages.folders:
        raise missing("Unauthorized / Folder not found")
    name = url.partition("?")[0].rsplit("/", 1)[-1] or "image"
    number = call.state.next_id("image", 7001)
    row = {
        "account_id": call.state.account_id,
        "file_name": f"{number}_{name}",
        "mime_type": mimetypes.guess_type(name)[0] or "image/png",
        "file_size": 1024,
        "name": name,
        "created": call.now,
        "modified": call.now,
        "created_by": 1035,
        "id": number,
    }
    call.state.messages.images[number] = {**row, "folder_id": folder_id}
    return Answer(row)


def folders(call: Call) -> Answer:
    """Answer with all folders; tests put them into ``state.messages.folders``."""
    first: dict[str, Any] = {
        "favorite": False,
        "created_by": 1035,
        "account_id": call.state.account_id,
        "deleted": None,
        "allowed_list_ids": [],
        "allowed_user_ids": [],
        "disallowed_user_ids": [],
    }
    rows = [{**first, "created": call.now, "modified": call.now, **row} for row in call.state.messages.folders.values()]
    return Answer(rows, {"total": len(rows)})


_IMAGE = record(
    {
        **dict.fromkeys(("id", "account_id", "created_by", "file_size"), ID),
        **dict.fromkeys(("name", "file_name", "mime_type"), TEXT),
        **dict.fromkeys(("created", "modified"), TIME),
    }
)
_FOLDERS = Shape(answer=array_of(record({"account_id": ID, "created": TIME, "modified": TIME})), kind="page")
_CREATES = gives(_IMAGE, 412, takes=record({"image_url": URL}, folder_id=COUNT))

ROUTES = (
    Route("images.create", "POST", "/api/image", create, _CREATES),
    Route("images.folders", "GET", "/api/image_folder", folders, _FOLDERS),
)
