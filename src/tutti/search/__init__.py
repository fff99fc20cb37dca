"""Search across modalities and through long video: index, query, fusion, moments."""
