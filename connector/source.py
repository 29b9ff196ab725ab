"""Where the settings come from, and whether they have changed since."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from adapters.port import Adapter
from connector.config import ENV_FILE, environment, load
from connector.settings import Settings


@dataclass(frozen=True)
class Source:
    """A config.yaml, with the environment that fills its placeholders and the adapters that know its keys."""

    path: Path
    adapters: Mapping[str, Adapter]
    environ: Mapping[str, str] = field(default_factory=lambda: dict(os.environ), repr=False)

    def load(self) -> Settings:
        """The checked settings as they stand in the file now. Raises :class:`~adapters.errors.ConfigError`."""
        return self.load_from(self.path)

    def load_from(self, path: Path) -> Settings:
        """The same from another file as if it stood in place of this one. Raises as :meth:`load`."""
        return load(path, environment(self.path, self.environ), self.adapters, folder=self.path.parent)

    @property
    def env_file(self) -> Path:
        """Where secrets stand that are not in the environment."""
        return self.path.parent / ENV_FILE

    def revision(self) -> str:
        """A digest of the file's content, by which two admins notice each other; empty when it cannot be read."""
        try:
            return digest(self.path.read_bytes())
        except OSError:
            return ""

    def fingerprint(self, settings: Settings) -> str:
        """Changes with the file, with the secrets beside it, and with playbooks and questionnaires of the admin's own.

        Cheap enough to be taken every few seconds: files are told apart by size, moment and inode.
        """
        seen = hashlib.sha256()
        for path in self._files(settings):
            try:
                stat = path.stat()
                seen.update(f"{path} {stat.st_size} {stat.st_mtime_ns} {stat.st_ino}\n".encode())
            except OSError:
                seen.update(f"{path} gone\n".encode())
        return seen.hexdigest()

    def _files(self, settings: Settings) -> Iterator[Path]:
        yield self.path
        yield self.env_file
        for folder in (settings.playbooks_dir, settings.surveys_dir):
            if folder is not None:
                yield from sorted(folder.glob("*.y*ml"))
        if settings.documents_dir is not None:
            yield from sorted(settings.documents_dir.glob("*.docx"))


def digest(content: bytes) -> str:
    """The revision of a file with this content."""
    return hashlib.sha256(content).hexdigest()[:32]
