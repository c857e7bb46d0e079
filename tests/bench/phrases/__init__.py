"""Phrases, said by many voices, as the embedded server understands them."""
