"""Everything that knows one of TensorBoard's loaders, and every private name of TensorBoard.

`compat` lists the private names with what each is needed for. Nothing outside uses one.
"""
