"""Numbers on the pages that are given, not measured."""
import re
EVERYWHERE = ()
GIVEN: dict[str, tuple[str, ...]] = {}
