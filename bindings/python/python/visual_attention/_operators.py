"""Every operator as a function, as a class, and as a tuple of its outputs. `_operators.pyi` lists them."""

from typing import Any

import numpy.typing as npt

from ._build import Operator, make_class, make_function
from ._call import outputs_type
from ._description import descriptions

#: A NumPy array.
Array = npt.NDArray[Any]

__all__ = ["Operator"]

for _name, _description in descriptions().items():
    globals()[_name] = make_function(_description)
    globals()[_description.class_name] = make_class(_description)
    globals()[f"{_description.class_name}Outputs"] = outputs_type(_name)
    __all__ += [_name, _description.class_name, f"{_description.class_name}Outputs"]
