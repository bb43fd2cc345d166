"""Topics of one test whose schemas are registered once for all tests."""

from schemas.topics import Topic


class SharedSubjectTopic(Topic):
    """Its subject follows from the schema and not from the name."""

    @property
    def subject(self) -> str:
        return f"test.{self.schema}-value"
