/*
 * A library for tests: it puts a fault point on each side of every hook that pg_tenant uses, and into the callbacks of
 * transactions. Preloaded before pg_tenant its points lie within pg_tenant's hooks, preloaded after it around them.
 *
 *   fault_arm('error' | 'cancel' | 'terminate' | 'malloc', n): the n-th point from the next statement on raises, or the
 *   n-th allocation fails; 0 for none.
 *   fault_left(): how many are still to come, 0 when it did.
 */
#include "postgres.h"

#include <dlfcn.h>

#include "access/xact.h"
#include "catalog/objectaccess.h"
#include "executor/executor.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "optimizer/planner.h"
#include "parser/analyze.h"
#include "storage/ipc.h"
#include "tcop/utility.h"
#include "utils/builtins.h"

PG_MODULE_MAGIC;

enum how { ERROR_AT, CANCEL_AT, TERMINATE_AT, MALLOC_AT };

static enum how how = ERROR_AT;
static int	left = 0;			/* points to come */
static bool armed = false;		/* since the first statement after it was set */
static volatile long *malloc_at = NULL;

static planner_hook_type previous_planner;
static ProcessUtility_hook_type previous_utility;
static ExecutorStart_hook_type previous_start;
static ExecutorRun_hook_type previous_run;
static ExecutorFinish_hook_type previous_finish;
static ExecutorEnd_hook_type previous_end;
static ExecutorCheckPerms_hook_type previous_check_perms;
static object_access_hook_type previous_object_access;
static post_parse_analyze_hook_type previous_analyze;

static void
point(void)
{
	if (!armed || how == MALLOC_AT || left <= 0 || --left > 0)
		return;
	armed = false;
	if (how == ERROR_AT)
		ereport(ERROR, (errcode(MAKE_SQLSTATE('F', 'T', '0', '0', '1')), errmsg("a fault")));
	if (how == CANCEL_AT)
		QueryCancelPending = true;
	else
		ProcDiePending = true;
	InterruptPending = true;
}

PG_FUNCTION_INFO_V1(fault_arm);
Datum
fault_arm(PG_FUNCTION_ARGS)
{
	char	   *name = text_to_cstring(PG_GETARG_TEXT_PP(0));

	how = name[0] == 'e' ? ERROR_AT : name[0] == 'c' ? CANCEL_AT : name[0] == 't' ? TERMINATE_AT : MALLOC_AT;
	left = PG_GETARG_INT32(1);
	armed = false;
	if (malloc_at)
		*malloc_at = 0;
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(fault_left);
Datum
fault_left(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(how == MALLOC_AT && malloc_at && armed ? (int) *malloc_at : left);
}

static void
analyzed(ParseState *state, Query *query, JumbleState *jumble)
{
	if (left > 0 && !armed)
	{
		armed = true;
		if (how == MALLOC_AT && malloc_at)
			*malloc_at = left;
	}
	point();
	if (previous_analyze)
		previous_analyze(state, query, jumble);
	point();
}

static PlannedStmt *
planner_with_points(Query *query, const char *text, int options, ParamListInfo params)
{
	PlannedStmt *plan;

	point();
	plan = previous_planner ? previous_planner(query, text, options, params) : standard_planner(query, text, options, params);
	point();
	return plan;
}

static void
utility(PlannedStmt *statement, const char *text, bool read_only, ProcessUtilityContext context, ParamListInfo params,
		QueryEnvironment *environment, DestReceiver *destination, QueryCompletion *completion)
{
	point();
	if (previous_utility)
		previous_utility(statement, text, read_only, context, params, environment, destination, completion);
	else
		standard_ProcessUtility(statement, text, read_only, context, params, environment, destination, completion);
	if (IsTransactionState())
		point();
}

static void
start(QueryDesc *query, int flags)
{
	point();
	if (previous_start)
		previous_start(query, flags);
	else
		standard_ExecutorStart(query, flags);
	point();
}

#if PG_VERSION_NUM >= 180000
static void
run(QueryDesc *query, ScanDirection direction, uint64 count)
{
	point();
	if (previous_run)
		previous_run(query, direction, count);
	else
		standard_ExecutorRun(query, direction, count);
	point();
}
#else
static void
run(QueryDesc *query, ScanDirection direction, uint64 count, bool once)
{
	point();
	if (previous_run)
		previous_run(query, direction, count, once);
	else
		standard_ExecutorRun(query, direction, count, once);
	point();
}
#endif

static void
finish(QueryDesc *query)
{
	point();
	if (previous_finish)
		previous_finish(query);
	else
		standard_ExecutorFinish(query);
	point();
}

static void
end(QueryDesc *query)
{
	point();
	if (previous_end)
		previous_end(query);
	else
		standard_ExecutorEnd(query);
	point();
}

#if PG_VERSION_NUM >= 160000
static bool
check_perms(List *entries, List *infos, bool raises)
{
	bool		passes;

	point();
	passes = previous_check_perms ? previous_check_perms(entries, infos, raises) : true;
	point();
	return passes;
}
#else
static bool
check_perms(List *entries, bool raises)
{
	bool		passes;

	point();
	passes = previous_check_perms ? previous_check_perms(entries, raises) : true;
	point();
	return passes;
}
#endif

static void
object_access(ObjectAccessType access, Oid class, Oid object, int part, void *argument)
{
	point();
	if (previous_object_access)
		previous_object_access(access, class, object, part, argument);
	point();
}

/* At COMMIT and ABORT themselves PostgreSQL allows nobody to fail. */
static void
transaction(XactEvent event, void *argument)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		point();
}

static void
savepoint(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *argument)
{
	if (event == SUBXACT_EVENT_START_SUB || event == SUBXACT_EVENT_PRE_COMMIT_SUB)
		point();
}

void		_PG_init(void);

void
_PG_init(void)
{
	malloc_at = (volatile long *) dlsym(RTLD_DEFAULT, "fault_malloc_at");

	previous_planner = planner_hook;
	planner_hook = planner_with_points;
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = utility;
	previous_start = ExecutorStart_hook;
	ExecutorStart_hook = start;
	previous_run = ExecutorRun_hook;
	ExecutorRun_hook = run;
	previous_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = finish;
	previous_end = ExecutorEnd_hook;
	ExecutorEnd_hook = end;
	previous_check_perms = ExecutorCheckPerms_hook;
	ExecutorCheckPerms_hook = check_perms;
	previous_object_access = object_access_hook;
	object_access_hook = object_access;
	previous_analyze = post_parse_analyze_hook;
	post_parse_analyze_hook = analyzed;
	RegisterXactCallback(transaction, NULL);
	RegisterSubXactCallback(savepoint, NULL);
}
