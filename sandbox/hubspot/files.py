"""The files API, as far as attachments of notes need it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from flask import Blueprint, request
from flask.typing import ResponseReturnValue

from sandbox.hubspot.access import need
from sandbox.hubspot.errors import ApiError, invalid, not_found
from sandbox.hubspot.values import iso
from sandbox.hubspot.web import api, limit, page, single
from sandbox.hubspot.world import World

ACCESS = ("PRIVATE", "PUBLIC_INDEXABLE", "PUBLIC_NOT_INDEXABLE", "HIDDEN_INDEXABLE", "HIDDEN_NOT_INDEXABLE",
          "HIDDEN_PRIVATE", "HIDDEN_SENSITIVE")  # fmt: skip


@dataclass(frozen=True)
class StoredFile:
    """An uploaded file. ``name`` has no extension, as HubSpot keeps it."""

    id: str
    name: str
    extension: str
    folder: str
    access: str
    media_type: str
    content: bytes
    created_at: datetime

    @property
    def full_name(self) -> str:
        """Name with extension."""
        return f"{self.name}.{self.extension}" if self.extension else self.name


def file_routes(world: World, files: dict[str, StoredFile]) -> Blueprint:
    """Upload, read, find by name, signed URL, delete."""
    routes = Blueprint("files", __name__)

    @api(routes, "POST", "/files/v3/files", "/files/VERSION/files")
    def upload() -> ResponseReturnValue:
        need("files")
        stored = _stored(world, str(90_000_000_001 + len(files)))
        files[stored.id] = stored
        return _told(stored), 201

    @api(routes, "GET", "/files/v3/files/search", "/files/VERSION/files/search")
    def search() -> ResponseReturnValue:
        need("files")
        name = single("name")
        found = [each for each in files.values() if name is None or name in (each.name, each.full_name)]
        part, paging = page(found, limit(100, 20), single("after"))
        return {"results": [_told(each) for each in part], **paging}

    @api(routes, "GET", "/files/v3/files/<file_id>", "/files/VERSION/files/<file_id>")
    def read(file_id: str) -> ResponseReturnValue:
        need("files")
        return _told(_get(files, file_id))

    @api(routes, "GET", "/files/v3/files/<file_id>/signed-url", "/files/VERSION/files/<file_id>/signed-url")
    def signed(file_id: str) -> ResponseReturnValue:
        need("files")
        stored = _get(files, file_id)
        until = world.clock.now() + timedelta(minutes=5)
        url = f"{request.host_url}download/{stored.id}"
        told = {"url": url, "expiresAt": iso(until), "name": stored.name, "extension": stored.extension}
        return told | {"size": len(stored.content), "type": "DOCUMENT"}

    @api(routes, "DELETE", "/files/v3/files/<file_id>", "/files/VERSION/files/<file_id>")
    def delete(file_id: str) -> ResponseReturnValue:
        need("files")
        del files[_get(files, file_id).id]
        return "", 204

    return routes


def _stored(world: World, file_id: str) -> StoredFile:
    if request.mimetype != "multipart/form-data":
        raise ApiError(415, "Send the file as multipart/form-data", "VALIDATION_ERROR")
    upload = request.files.get("file")
    if upload is None:
        raise invalid("The upload has no file")
    folder = request.form.get("folderPath") or request.form.get("folderId")
    if not folder:
        raise invalid("Either folderPath or folderId is required")
    access = _options().get("access")
    if access not in ACCESS:
        raise invalid(f"options.access must be one of {', '.join(ACCESS)}")
    name = PurePosixPath(request.form.get("fileName") or upload.filename or "file")
    extension = (name.suffix or PurePosixPath(upload.filename or "").suffix).removeprefix(".")
    return StoredFile(file_id, name.stem, extension, folder, access, upload.mimetype, upload.read(), world.clock.now())


def _options() -> dict[str, Any]:
    try:
        raw = json.loads(request.form.get("options", ""))
    except ValueError:
        raw = None
    if not isinstance(raw, dict):
        raise invalid("options must be a JSON object with at least access")
    return raw


def _get(files: dict[str, StoredFile], file_id: str) -> StoredFile:
    if file_id not in files:
        raise not_found(f"File {file_id} was not found")
    return files[file_id]


def _told(stored: StoredFile) -> dict[str, Any]:
    path = f"{stored.folder.rstrip('/')}/{stored.full_name}"
    return {
        "id": stored.id,
        "name": stored.name,
        "extension": stored.extension,
        "path": path,
        "size": len(stored.content),
        "type": "IMG" if stored.media_type.startswith("image/") else "DOCUMENT",
        "encoding": None,
        "access": stored.access,
        "url": f"{request.host_url}download/{stored.id}",
        "defaultHostingUrl": f"{request.host_url}download/{stored.id}",
        "isUsableInContent": False,
        "archived": False,
        "createdAt": iso(stored.created_at),
        "updatedAt": iso(stored.created_at),
    }
