"""Stands in for Hugging Face's transformers, of which Alibi-Detect needs the tokenizers of text models: none here."""


class PreTrainedTokenizerBase:
    """Nothing is an instance of it."""


class AutoTokenizer:
    """Nothing asks it for a tokenizer."""
