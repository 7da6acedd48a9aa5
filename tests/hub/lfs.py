"""Large file storage: the batch endpoint, uploads whole and in parts, and the check afterwards.

As https://github.com/git-lfs/git-lfs/blob/main/docs/api/batch.md has it, with the Hub's transfer "multipart": the header
of an upload holds the size and the addresses of its parts, and what is posted at its end, their ETags.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import md5, sha256
from typing import Any

from tests.hub.store import Refusal


@dataclass
class Storage:
    """Objects by their SHA-256, and parts of those that are on their way."""

    part: int = 0  # bytes of a part; 0: every upload is whole
    objects: dict[str, bytes] = field(default_factory=dict)
    parts: dict[tuple[str, int], bytes] = field(default_factory=dict)
    checked: list[str] = field(default_factory=list)  # objects that were verified

    def batch(self, body: bytes, page: str, hub: str, storage: str) -> dict[str, Any]:
        """What to do about each object: nothing, if it is here.

        Args:
            page: the repository's address.
            hub: the address of the Hub.
            storage: the address that takes uploads.
        """
        asked = json.loads(body)
        if asked["operation"] != "upload" or asked["hash_algo"] != "sha256":
            raise Refusal(501, message="only uploads by SHA-256")
        several = self.part and "multipart" in asked["transfers"]
        objects = [self._action(each, page, hub, storage) for each in asked["objects"]]
        return {"transfer": "multipart" if several else "basic", "objects": objects}

    def _action(self, asked: Mapping[str, Any], page: str, hub: str, storage: str) -> dict[str, Any]:
        oid, size = asked["oid"], asked["size"]
        if oid in self.objects:
            return {"oid": oid, "size": size}
        verify = {"href": f"{page}.git/info/lfs/objects/verify"}
        upload: dict[str, Any] = {"href": f"{storage}/upload/{oid}/0?X-Amz-Signature=signed"}
        if self.part and size > self.part:
            numbers = range(1, -(-size // self.part) + 1)
            places = {str(number): f"{storage}/upload/{oid}/{number}?X-Amz-Signature=signed" for number in numbers}
            upload = {"href": f"{hub}/api/complete_multipart?uploadId={oid}"}
            upload["header"] = {"chunk_size": str(self.part), **places}
        return {"oid": oid, "size": size, "actions": {"upload": upload, "verify": verify}}

    def put(self, oid: str, number: int, content: bytes) -> dict[str, str]:
        """Take an object, or a part of one; the headers of the answer."""
        if number:
            self.parts[oid, number] = content
        else:
            self._keep(oid, content)
        return {"ETag": f'"{md5(content).hexdigest()}"'}

    def complete(self, body: bytes) -> dict[str, Any]:
        """Put parts together, if all of them came as they were sent."""
        asked = json.loads(body)
        content = b""
        for part in asked["parts"]:
            held = self.parts.get((asked["oid"], part["partNumber"]), b"")
            if part["etag"] != f'"{md5(held).hexdigest()}"':
                raise Refusal(400, message=f"part {part['partNumber']} has another ETag")
            content += held
        self._keep(asked["oid"], content)
        return {"completed": True}

    def verify(self, body: bytes) -> dict[str, Any]:
        asked = json.loads(body)
        if len(self.objects.get(asked["oid"], b"")) != asked["size"]:
            raise Refusal(404, message="the object was not uploaded")
        self.checked.append(asked["oid"])
        return {}

    def _keep(self, oid: str, content: bytes) -> None:
        if sha256(content).hexdigest() != oid:
            raise Refusal(400, message="the content is not what its SHA-256 says")
        self.objects[oid] = content
