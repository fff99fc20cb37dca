"""Search across modalities and through long video: index, query, fusion, moments."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.search.answer.answers import SourcedAnswer as SourcedAnswer
    from tutti.search.index import Index as Index
    from tutti.search.index import index_of as index_of
    from tutti.search.ingest.run import Report as Report
    from tutti.search.query.searcher import Hit as Hit

_DOORS = {
    "Hit": "tutti.search.query.searcher:Hit",
    "Index": "tutti.search.index:Index",
    "Report": "tutti.search.ingest.run:Report",
    "SourcedAnswer": "tutti.search.answer.answers:SourcedAnswer",
    "index_of": "tutti.search.index:index_of",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
