"""The page for browsers: a separate process between them and the control socket.

It needs the extra `page`; `daemon/docs/page.md` is its page. `saving` is another process, which
alone may write the configuration.
"""
