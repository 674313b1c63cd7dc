"""The TensorBoard plugin: loader, routes, replies, limits, assets. Contract: docs/http_api.md.

`loader` is all that TensorBoard imports at start-up, so this module stays empty: whatever is
imported here would be able to stop TensorBoard.
"""
