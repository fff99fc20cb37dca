"""Search across modalities and through long video: index, query, fusion, moments; and in what comes live."""

from typing import TYPE_CHECKING

from tutti._lazy import doors

if TYPE_CHECKING:
    from tutti.search.answer.answers import SourcedAnswer as SourcedAnswer
    from tutti.search.index import Index as Index
    from tutti.search.ingest.run import IndexReport as IndexReport
    from tutti.search.live_questions import LiveQuestions as LiveQuestions
    from tutti.search.live_watch import LiveWatch as LiveWatch
    from tutti.search.long_media import index_of as index_of
    from tutti.search.query.hits import Hit as Hit

_DOORS = {
    "Hit": "tutti.search.query.hits:Hit",
    "Index": "tutti.search.index:Index",
    "IndexReport": "tutti.search.ingest.run:IndexReport",
    "LiveQuestions": "tutti.search.live_questions:LiveQuestions",
    "LiveWatch": "tutti.search.live_watch:LiveWatch",
    "SourcedAnswer": "tutti.search.answer.answers:SourcedAnswer",
    "index_of": "tutti.search.long_media:index_of",
}

__getattr__, __dir__ = doors(__name__, _DOORS)
