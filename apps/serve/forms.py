"""The files in a multipart form, taken apart in memory: other parsers put what is large on disk."""

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, FormParser, parse_options_header

from apps.serve.refusals import RefusedError
from mnist.core.errors import first_line

Upload = tuple[str, bytes]  # the file's name and its content


def files(body: bytes, content_type: str, most: int) -> list[Upload]:
    """Take a form apart.

    Args:
        body: all of it.
        content_type: with the boundary.
        most: files and other fields, which are left out.

    Raises:
        RefusedError: 422, no form, no file in it, or more than `most` parts.
    """
    found: list[Upload] = []
    parts = 0

    def count(part: File | Field) -> None:
        nonlocal parts
        parts += 1
        if parts > most:
            raise RefusedError(422, f"expected at most {most} files, found more")
        if isinstance(part, File):
            found.append(((part.file_name or b"").decode(errors="replace"), part.file_object.getvalue()))  # type: ignore[union-attr]

    try:
        kind, options = parse_options_header(content_type)
        in_memory = {"MAX_MEMORY_FILE_SIZE": float("inf")}
        parser = FormParser(kind.decode(), count, count, boundary=options.get(b"boundary"), config=in_memory)
        parser.write(body)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError) as error:
        raise RefusedError(422, f"expected a multipart form, found: {first_line(error)[:200]}") from None
    if not found:
        raise RefusedError(422, "expected a form with one file or more, found none")
    return found
