"""Text files as one long text, read piece by piece."""

from __future__ import annotations

import codecs
import hashlib
import io
import lzma
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from relembra._errors import ConfigError, DataError
from relembra.data._lines import check_text, open_bytes

__all__ = ["TextFiles"]

_BLOCK = 1 << 20


@dataclass(frozen=True)
class TextFiles:
    r"""Text files, one behind the other, as one text that is never in memory whole.

    Line ends become ``\n``, and a byte-order mark at the beginning of a file is left out.

    Parameters
    ----------
    paths
        UTF-8 files, also ``.gz``, ``.bz2`` and ``.xz``.
    start, stop
        The part to read, in bytes of the unpacked files together; to the end when ``stop`` is
        None. :meth:`split` makes such parts.

    Raises
    ------
    DataError
        There are no files, or one of them does not exist.

    Examples
    --------
    >>> import pathlib, tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = pathlib.Path(folder, "poem.txt")
    ...     _ = file.write_text("No meio do caminho\ntinha uma pedra\n")
    ...     training, test = TextFiles.of([file]).split(0.5)
    ...     "".join(training.chunks()), "".join(test.chunks())
    ('No meio do caminh', 'o\ntinha uma pedra\n')
    """

    paths: tuple[str, ...]
    start: int = 0
    stop: int | None = None

    def __post_init__(self) -> None:
        if not self.paths:
            raise DataError("there are no text files; give one or more")
        for path in self.paths:
            if os.path.isdir(path):
                raise DataError("this is a folder; name the text files in it", path=path)
            if not os.path.isfile(path):
                raise DataError("there is no such text file", path=path)

    @classmethod
    def of(cls, paths: Sequence[str | os.PathLike[str]] | str | os.PathLike[str]) -> TextFiles:
        """Name one text file or several."""
        several = [paths] if isinstance(paths, str | os.PathLike) else paths
        return cls(tuple(os.fspath(path) for path in several))

    def split(self, fraction: float) -> tuple[TextFiles, TextFiles]:
        """Part the text behind this fraction of its bytes, between two characters.

        Parameters
        ----------
        fraction
            Between 0 and 1. All bytes are read once to count and check them.

        Returns
        -------
        tuple
            Both parts.

        Raises
        ------
        ConfigError
            The fraction is not between 0 and 1.
        DataError
            A file cannot be read.
        """
        if not 0 < fraction < 1:
            raise ConfigError(f"the fraction is {fraction}; expected it between 0 and 1")
        size = sum(len(block) for _, block in self._blocks())
        cut = self._character_start(self.start + int(size * fraction))
        return replace(self, stop=cut), replace(self, start=cut)

    def digest(self) -> str:
        """Return a name of the content, equal for equal bytes, in files of whatever name."""
        found = hashlib.blake2b(digest_size=16)
        for number, block in self._blocks():
            found.update(b"%d:%d:" % (number, len(block)) + block)
        return found.hexdigest()

    def chunks(self) -> Iterator[str]:
        """Yield the text in pieces of about a million characters, cut behind white space.

        Where a megabyte holds no white space, a piece ends anywhere.

        Raises
        ------
        DataError
            A file cannot be read, or is not UTF-8; file and line are named.
        """
        held = ""
        for text in self._texts():
            held += text
            if len(held) < _BLOCK // 4:
                continue
            cut = _last_blank(held)
            yield held[:cut]
            held = held[cut:]
        if held:
            yield held

    def _texts(self) -> Iterator[str]:
        decoder, current = _decoder(), 0
        try:
            for number, block in self._blocks():
                if number != current:
                    yield decoder.decode(b"", final=True)
                    decoder, current = _decoder(), number
                yield decoder.decode(block)
            yield decoder.decode(b"", final=True)
        except UnicodeDecodeError as error:
            path = self.paths[current]
            check_text(path)
            raise DataError(f"the part ends inside a character: {error}", path=path) from None

    def _blocks(self) -> Iterator[tuple[int, bytes]]:
        """Yield the number of the file and the next bytes of the part."""
        place = 0
        for number, path in enumerate(self.paths):
            check_text(path, limit=1)
            try:
                with open_bytes(path) as raw:
                    while block := raw.read(_BLOCK):
                        begin = max(self.start - place, 0)
                        end = len(block) if self.stop is None else self.stop - place
                        place += len(block)
                        if end <= 0:
                            return
                        if inside := block[begin:end]:
                            yield number, inside
            except (OSError, EOFError, lzma.LZMAError):
                check_text(path)
                raise

    def _character_start(self, place: int) -> int:
        """Return the first place from here on where a character begins."""
        after = b"".join(b for _, b in replace(self, start=place, stop=place + 4)._blocks())
        inside = (i for i, byte in enumerate(after) if byte & 0xC0 != 0x80)
        return place + next(inside, len(after))


def _decoder() -> io.IncrementalNewlineDecoder:
    return io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8-sig")(), translate=True)


def _last_blank(text: str) -> int:
    """Return the place behind the last line end, else behind the last blank, else the end."""
    return text.rfind("\n") + 1 or text.rfind(" ") + 1 or len(text)
