"""The table of all operations of the HTTP API."""

from modelsheet.service.http.routes.actions import ACTIONS
from modelsheet.service.http.routes.admin import ADMIN
from modelsheet.service.http.routes.blobs import BLOBS
from modelsheet.service.http.routes.events import EVENTS
from modelsheet.service.http.routes.jobs import JOBS
from modelsheet.service.http.routes.learn import LEARN
from modelsheet.service.http.routes.models import MODELS
from modelsheet.service.http.routes.operation import Operation
from modelsheet.service.http.routes.subjects import SUBJECTS
from modelsheet.service.http.routes.system import SYSTEM

OPERATIONS: tuple[Operation, ...] = (
    *SYSTEM,
    *LEARN,
    *ACTIONS,
    *EVENTS,
    *BLOBS,
    *JOBS,
    *SUBJECTS,
    *MODELS,
    *ADMIN,
)
