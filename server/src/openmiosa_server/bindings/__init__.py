"""Which secret goes to which sandbox, under which variable, to which hosts."""

from .binder import Binder
from .ladder import effective
from .service import Bindings
from .types import Binding, EffectiveBinding

__all__ = ["Binder", "Binding", "Bindings", "EffectiveBinding", "effective"]
