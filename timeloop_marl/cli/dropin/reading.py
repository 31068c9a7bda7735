"""Input document to ``Spec``, with the real programs' own texts for the errors that they report themselves."""

from __future__ import annotations

from ...errors import SpecError
from ...specs.document import Document
from ...specs.reading import read_spec
from ...specs.spec import ModelOptions, Spec
from .arguments import ProgramError

_KEY_NOT_FOUND = "key not found: "


def read_input(document: Document, options: ModelOptions, *, mapper: bool) -> Spec:
    """The ``Spec`` of a document, read as leniently as the real programs do.

    Args:
        document: the input in its flat form.
        options: choices of the cost model.
        mapper: read the mapspace constraints too, which timeloop-model does not.

    Raises:
        ProgramError: what the real program reports with a text of its own.
        SpecError: anything else wrong in the input.
    """
    try:
        return read_spec(document, options=options, strict=False, mapspace_constraints=mapper)
    except SpecError as error:
        if error.problem.startswith(_KEY_NOT_FOUND):
            raise ProgramError(f"ERROR: {error.problem}, at line: 0") from error
        raise
