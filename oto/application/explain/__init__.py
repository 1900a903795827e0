"""Tells in sentences, from a job's log alone, why it did what it did."""

from oto.application.explain.story import Part, Sentence, explain

__all__ = ["Part", "Sentence", "explain"]
