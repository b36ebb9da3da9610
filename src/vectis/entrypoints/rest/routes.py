"""Every route of the REST surface, as data."""

from vectis.domain.access import Permission
from vectis.domain.collections import SettingsVersion
from vectis.domain.gains import Gain, MeasuredGain
from vectis.domain.schedules import SchedulePlan
from vectis.entrypoints.rest import (
    answers,
    bodies,
    configuration_answers,
    feedback_answers,
    identities,
    job_answers,
    rollout_answers,
)
from vectis.entrypoints.rest.handlers import (
    access,
    audit,
    caches,
    collections,
    configuration,
    documents,
    feedback,
    jobs,
    points,
    rollouts,
    schedules,
    search,
    server,
)
from vectis.entrypoints.rest.operation import PUBLIC, Operation, RawBody
from vectis.rollouts.estimating import Estimate

V1 = "/api/v1"
USER = f"{V1}/users/{{user}}"
COLLECTION = f"{V1}/collections/{{collection}}"
SCHEDULE = f"{V1}/schedules/{{name}}"

READ = Permission.READ_COLLECTIONS
WRITE = Permission.WRITE_COLLECTIONS
RESTART = Permission.RESTART_SERVICES
METRICS = Permission.VIEW_METRICS
PEOPLE = Permission.MANAGE_USERS

SEARCH = (
    Operation("search", "POST", f"{V1}/search", READ, "Search documents by words", search.text,
              answers.SearchAnswer, body=bodies.SearchBody, kept=True, routed=True),
    Operation("similar", "POST", f"{V1}/similar", READ, "Find what is like examples", search.similar,
              answers.SearchAnswer, body=bodies.SimilarBody, kept=True, routed=True),
    Operation("search_vectors", "POST", f"{V1}/vectors/search", READ, "Find the points nearest to a vector", search.vector,
              answers.SearchAnswer, body=bodies.VectorSearchBody, kept=True, routed=True,
              raw=RawBody(search.raw_vector, bodies.RawVectorQuery)),
    Operation("search_vectors_batch", "POST", f"{V1}/vectors/search/batch", READ, "Several vector searches at once",
              search.vector_batch, answers.SearchAnswers, body=bodies.VectorSearchBatch, routed=True),
)  # fmt: skip

FEEDBACK = (
    Operation("give_feedback", "POST", f"{V1}/feedback", READ, "Say what a user did with a result", feedback.give,
              feedback_answers.FeedbackTaken, body=feedback_answers.GiveFeedback),
)  # fmt: skip

COLLECTIONS = (
    Operation("create_collection", "POST", f"{V1}/collections", WRITE, "Create a collection", collections.create,
              answers.CollectionDetail, body=bodies.CreateCollection, status=201),
    Operation("list_collections", "GET", f"{V1}/collections", READ, "List collections", collections.list_all,
              answers.CollectionList, query=bodies.CollectionsQuery),
    Operation("describe_collection", "GET", COLLECTION, READ, "Describe a collection", collections.describe,
              answers.CollectionDetail),
    Operation("delete_collection", "DELETE", COLLECTION, Permission.DELETE_COLLECTIONS, "Delete a collection with all it holds",
              collections.delete, answers.CollectionDeleted, query=bodies.DeletionQuery),
    Operation("undelete_collection", "POST", f"{COLLECTION}/undelete", Permission.DELETE_COLLECTIONS,
              "Take a deletion back", collections.undelete, answers.CollectionDetail),
    Operation("optimize_collection", "POST", f"{COLLECTION}/optimize", WRITE, "Build what is unindexed", collections.optimize,
              answers.Optimized, query=bodies.WaitQuery, other_status=202),
    Operation("create_payload_index", "POST", f"{COLLECTION}/indexes", WRITE, "Index a payload key", collections.create_index,
              answers.Created, body=bodies.CreateIndex),
    Operation("list_profiles", "GET", f"{V1}/profiles", READ, "List collection profiles", collections.list_profiles,
              answers.ProfileList),
    Operation("list_aliases", "GET", f"{V1}/aliases", READ, "List aliases", collections.list_aliases, answers.AliasList),
    Operation("set_alias", "PUT", f"{V1}/aliases/{{alias}}", WRITE, "Point an alias at a collection", collections.set_alias,
              answers.AliasView, body=bodies.SetAlias),
    Operation("delete_alias", "DELETE", f"{V1}/aliases/{{alias}}", WRITE, "Delete an alias", collections.delete_alias,
              answers.Deleted),
)  # fmt: skip

POINTS = (
    Operation("upsert_points", "PUT", f"{COLLECTION}/points", WRITE, "Insert or replace points", points.upsert,
              answers.Upserted, body=bodies.PutPoints),
    Operation("scroll_points", "POST", f"{COLLECTION}/points/scroll", READ, "Read points in id order", points.scroll,
              answers.PointPage, body=bodies.ScrollPoints),
    Operation("count_points", "POST", f"{COLLECTION}/points/count", READ, "Count points", points.count,
              answers.Count, body=bodies.CountPoints),
    Operation("get_points", "POST", f"{COLLECTION}/points/get", READ, "Read points by id", points.get,
              answers.PointList, body=bodies.GetPoints),
    Operation("delete_points", "POST", f"{COLLECTION}/points/delete", WRITE, "Delete points by id or filter", points.delete,
              answers.Deleted, body=bodies.DeletePoints),
    Operation("get_point", "GET", f"{COLLECTION}/points/{{id}}", READ, "Read one point", points.get_one, answers.PointView),
)  # fmt: skip

DOCUMENTS = (
    Operation("put_documents", "POST", f"{COLLECTION}/documents", WRITE, "Keep and index documents", documents.put,
              answers.DocumentsAccepted, body=bodies.PutDocuments, query=bodies.WaitQuery, status=202, other_status=200),
    Operation("list_documents", "GET", f"{COLLECTION}/documents", READ, "List documents", documents.list_page,
              answers.DocumentList, query=bodies.DocumentsQuery),
    Operation("delete_documents", "POST", f"{COLLECTION}/documents/delete", WRITE, "Delete documents", documents.delete_many,
              answers.DocumentsRemoved, body=bodies.DeleteDocuments, query=bodies.WaitQuery, status=202, other_status=200),
    Operation("get_document", "GET", f"{COLLECTION}/documents/{{id:path}}", READ, "Read a document", documents.get,
              answers.DocumentView),
    Operation("delete_document", "DELETE", f"{COLLECTION}/documents/{{id:path}}", WRITE, "Delete a document",
              documents.delete_one, answers.DocumentsRemoved, query=bodies.WaitQuery, status=202, other_status=200),
)  # fmt: skip

JOBS = (
    Operation("list_jobs", "GET", f"{V1}/jobs", READ, "List jobs, newest first", jobs.list_page, job_answers.JobList,
              query=bodies.JobsQuery),
    Operation("job_stats", "GET", f"{V1}/jobs/stats", METRICS, "The health of the queues", jobs.stats,
              job_answers.JobHealth),
    Operation("retry_jobs", "POST", f"{V1}/jobs/retry", RESTART, "Run dead jobs again", jobs.retry_dead,
              job_answers.JobsChanged, body=bodies.RetryJobs),
    Operation("recover_jobs", "POST", f"{V1}/jobs/recover", RESTART, "Free what dead workers held", jobs.recover,
              job_answers.JobsChanged, body=bodies.RecoverJobs),
    Operation("get_job", "GET", f"{V1}/jobs/{{id}}", READ, "Read a job with its log", jobs.get, job_answers.JobDetail),
    Operation("follow_job", "GET", f"{V1}/jobs/{{id}}/events", READ, "Follow a job by server-sent events", jobs.follow,
              job_answers.JobView, streamed=True),
    Operation("retry_job", "POST", f"{V1}/jobs/{{id}}/retry", RESTART, "Run a dead or cancelled job again", jobs.retry,
              job_answers.JobView),
    Operation("cancel_job", "POST", f"{V1}/jobs/{{id}}/cancel", RESTART, "End a job", jobs.cancel, job_answers.JobView),
)  # fmt: skip

SCHEDULES = (
    Operation("list_schedules", "GET", f"{V1}/schedules", METRICS, "List schedules", schedules.list_all,
              job_answers.ScheduleList),
    Operation("get_schedule", "GET", SCHEDULE, METRICS, "Read a schedule", schedules.get, job_answers.ScheduleView),
    Operation("put_schedule", "PUT", SCHEDULE, RESTART, "Record a job at set times", schedules.put,
              job_answers.ScheduleView, body=SchedulePlan),
    Operation("delete_schedule", "DELETE", SCHEDULE, RESTART, "Remove a schedule", schedules.remove, answers.Deleted),
    Operation("run_schedule", "POST", f"{SCHEDULE}/run", RESTART, "Record a schedule's job now", schedules.run,
              job_answers.JobView),
)  # fmt: skip

ROLLOUTS = (
    Operation("start_rollout", "POST", f"{V1}/rollouts", WRITE, "Change what an alias serves", rollouts.start,
              rollout_answers.RolloutBegun, body=rollout_answers.StartRollout, status=201),
    Operation("estimate_rollout", "POST", f"{V1}/rollouts/estimate", WRITE, "What building a candidate would take",
              rollouts.estimate, Estimate, body=rollout_answers.StartRollout),
    Operation("list_rollouts", "GET", f"{V1}/rollouts", READ, "List rollouts, newest first", rollouts.list_all,
              rollout_answers.RolloutList, query=rollout_answers.RolloutsQuery),
    Operation("get_rollout", "GET", f"{V1}/rollouts/{{id}}", READ, "Read a rollout", rollouts.get, rollout_answers.RolloutView),
    Operation("explain_rollout", "GET", f"{V1}/rollouts/{{id}}/explain", READ, "Read a rollout's history and judgements",
              rollouts.explain, rollout_answers.RolloutExplained),
    Operation("follow_rollout", "GET", f"{V1}/rollouts/{{id}}/events", READ, "Follow a rollout by server-sent events",
              rollouts.follow, rollout_answers.RolloutEvent, streamed=True),
    Operation("change_rollout", "POST", f"{V1}/rollouts/{{id}}/{{verb}}", WRITE,
              "Pause, resume, promote, abort, retry, extend, skip or undo a rollout", rollouts.change,
              rollout_answers.RolloutView, body=rollout_answers.ChangeRollout),
    Operation("deployment_status", "GET", "/deployment/status", READ, "What every alias serves", rollouts.status,
              rollout_answers.ServedAliases),
    Operation("v1_deployment_status", "GET", f"{V1}/deployment/status", READ, "The same under /api/v1", rollouts.status,
              rollout_answers.ServedAliases),
)  # fmt: skip

SERVER = (
    Operation("health", "GET", "/health", PUBLIC, "Whether every part answers", server.health, answers.Health,
              other_status=503, limited=False),
    Operation("api_health", "GET", "/api/health", PUBLIC, "The same under /api", server.health, answers.Health,
              other_status=503, limited=False),
    Operation("v1_health", "GET", f"{V1}/health", PUBLIC, "The same under /api/v1", server.health, answers.Health,
              other_status=503, limited=False),
    Operation("list_audit", "GET", f"{V1}/audit", Permission.MANAGE_USERS, "List what was done and refused, newest first",
              audit.list_entries, answers.AuditPage, query=bodies.AuditQuery),
    Operation("verify_audit", "POST", f"{V1}/audit/verify", Permission.MANAGE_USERS, "Check that the audit is whole",
              audit.verify, answers.AuditVerified),
    Operation("environment_status", "GET", f"{V1}/environment/status", METRICS,
              "Look at every part and at what the server runs in", server.environment, answers.EnvironmentStatus),
    Operation("database_stats", "GET", "/admin/db-stats", METRICS,
              "Connections to the control store", server.database, answers.DatabaseStats),
    Operation("show_caches", "GET", f"{V1}/cache", METRICS, "What the caches hold and save", caches.show,
              answers.CacheFigures),
    Operation("warm_caches", "POST", f"{V1}/cache/warm", Permission.SYSTEM_CONFIG,
              "Compute the answers to the most frequent recent questions", caches.warm, answers.CacheWarmed,
              body=bodies.WarmCache),
    Operation("clear_caches", "POST", f"{V1}/cache/clear", Permission.SYSTEM_CONFIG, "Forget kept answers", caches.clear,
              answers.CacheCleared, body=bodies.ClearCache),
    Operation("metrics", "GET", "/metrics", METRICS, "Prometheus metrics", server.metrics, bytes),
)  # fmt: skip

CONFIGURATION = (
    Operation("show_configuration", "GET", f"{V1}/config", Permission.SYSTEM_CONFIG, "Every setting with its origin",
              configuration.show, configuration_answers.ConfigurationView),
    Operation("list_configuration_versions", "GET", f"{V1}/config/history", Permission.SYSTEM_CONFIG,
              "Every version of the configuration", configuration.history, configuration_answers.ConfigurationHistory),
    Operation("validate_configuration", "GET", f"{V1}/config/validate", METRICS,
              "Whether a start with the file as it is would work", configuration.validate,
              configuration_answers.ConfigurationValidity),
    Operation("apply_configuration", "POST", f"{V1}/config/apply", Permission.SYSTEM_CONFIG,
              "Apply a configuration; it is taken back when it is not healthy", configuration.apply,
              configuration_answers.ConfigurationChange, body=bodies.ApplyConfiguration, status=202),
    Operation("roll_back_configuration", "POST", f"{V1}/config/rollback", Permission.SYSTEM_CONFIG,
              "Go back to an earlier configuration", configuration.rollback, configuration_answers.ConfigurationChange,
              body=bodies.RollbackConfiguration, status=202),
    Operation("configure_collection", "PUT", f"{COLLECTION}/search-settings", WRITE, "Search a collection with other settings",
              configuration.put_search_settings, SettingsVersion, body=bodies.PutSearchSettings),
    Operation("keep_gain", "PUT", f"{COLLECTION}/gains", WRITE, "Keep what a mode of search was measured to gain",
              collections.keep_gain, Gain, body=MeasuredGain),
    Operation("list_search_settings", "GET", f"{COLLECTION}/search-settings/history", READ,
              "Every version of a collection's search settings", configuration.search_settings_history,
              configuration_answers.SearchSettingsHistory),
    Operation("roll_back_search_settings", "POST", f"{COLLECTION}/search-settings/rollback", WRITE,
              "Search a collection with earlier settings again", configuration.roll_search_settings_back, SettingsVersion,
              body=bodies.RollbackSearchSettings),
)  # fmt: skip

USERS = (
    Operation("create_principal", "POST", f"{V1}/users", PEOPLE, "Make a person or a service", access.create_principal,
              identities.PrincipalView, body=identities.CreatePrincipal, status=201),
    Operation("list_principals", "GET", f"{V1}/users", PEOPLE, "List people and services", access.list_principals,
              identities.PrincipalList),
    Operation("get_principal", "GET", USER, PEOPLE, "Read a person or a service", access.get_principal, identities.PrincipalView),
    Operation("change_principal", "PATCH", USER, PEOPLE, "Change grants, status or contact", access.change_principal,
              identities.PrincipalView, body=identities.ChangePrincipal),
    Operation("delete_principal", "DELETE", USER, PEOPLE, "Remove a person or service with its keys and sessions",
              access.delete_principal, answers.Deleted),
    Operation("set_password", "PUT", f"{USER}/password", PEOPLE, "Set a person's password, which ends its sessions",
              access.set_password, identities.PrincipalView, body=identities.SetPassword),
    Operation("rotate_keys", "POST", f"{USER}/keys/rotate", PEOPLE, "Revoke all keys of one and make it another",
              access.rotate_keys, identities.KeyMade, status=201),
    Operation("create_key", "POST", f"{V1}/keys", PEOPLE, "Make a key, and a service when there is none",
              access.create_key, identities.KeyMade, body=identities.CreateKey, status=201),
    Operation("list_keys", "GET", f"{V1}/keys", PEOPLE, "List keys, without their texts", access.list_keys,
              identities.KeyList, query=identities.OfPrincipal),
    Operation("revoke_key", "DELETE", f"{V1}/keys/{{id}}", PEOPLE, "Revoke a key", access.revoke_key, answers.Deleted),
    Operation("list_roles", "GET", f"{V1}/roles", PEOPLE, "List roles", access.list_roles, identities.RoleList),
    Operation("put_role", "PUT", f"{V1}/roles/{{role}}", PEOPLE, "Create or replace an own role", access.put_role,
              identities.RoleView, body=identities.PutRole),
    Operation("delete_role", "DELETE", f"{V1}/roles/{{role}}", PEOPLE, "Remove an own role", access.delete_role,
              answers.Deleted),
    Operation("list_sessions", "GET", f"{V1}/sessions", PEOPLE, "List and count open sessions", access.list_sessions,
              identities.SessionList, query=identities.OfPrincipal),
    Operation("end_session", "DELETE", f"{V1}/sessions/{{id}}", PEOPLE, "End a session", access.end_session,
              answers.Deleted),
    Operation("rotate_signing_key", "POST", f"{V1}/sessions/signing-key", PEOPLE, "Sign access tokens with another key",
              access.rotate_signing_key, identities.SigningKeyMade, status=201),
    Operation("log_in", "POST", f"{V1}/tokens", PUBLIC, "Get tokens for name and password", access.log_in,
              identities.Tokens, body=identities.LogIn, status=201),
    Operation("refresh_tokens", "POST", f"{V1}/tokens/refresh", PUBLIC, "Get tokens for a refresh token", access.refresh,
              identities.Tokens, body=identities.RefreshToken, status=201),
    Operation("log_out", "POST", f"{V1}/tokens/revoke", PUBLIC, "End the session of a refresh token", access.log_out,
              answers.Deleted, body=identities.RefreshToken),
)  # fmt: skip

OPERATIONS = (
    SEARCH + FEEDBACK + COLLECTIONS + POINTS + DOCUMENTS + JOBS + ROLLOUTS + SCHEDULES + SERVER + CONFIGURATION + USERS
)
