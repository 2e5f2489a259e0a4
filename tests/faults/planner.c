/*
 * A library for tests: a planner that loses conditions. Preloaded before pg_tenant, its plans pass through pg_tenant's
 * hook as those of PostgreSQL do. While the setting lossy.planner is on, no scan keeps a call of a function of the name
 * that lossy.function says, wherever the plan has it.
 */
#include "postgres.h"

#include "fmgr.h"
#include "nodes/plannodes.h"
#include "nodes/primnodes.h"
#include "optimizer/planner.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

PG_MODULE_MAGIC;

static bool lossy = false;
static char *function = NULL;
static planner_hook_type previous_planner;

static List *
without_fence(List *conditions)
{
	List	   *kept = NIL;
	ListCell   *cell;

	foreach(cell, conditions)
	{
		Node	   *node = lfirst(cell);

		if (!IsA(node, FuncExpr) || strcmp(get_func_name(((FuncExpr *) node)->funcid), function) != 0)
			kept = lappend(kept, node);
	}
	return kept;
}

static void
lose(Plan *plan)
{
	List	   *below = NIL;
	ListCell   *cell;

	if (plan == NULL)
		return;
	plan->qual = without_fence(plan->qual);
	if (IsA(plan, Append))
		below = ((Append *) plan)->appendplans;
	else if (IsA(plan, MergeAppend))
		below = ((MergeAppend *) plan)->mergeplans;
	else if (IsA(plan, SubqueryScan))
		lose(((SubqueryScan *) plan)->subplan);
	foreach(cell, below)
		lose(lfirst(cell));
	lose(plan->lefttree);
	lose(plan->righttree);
}

static PlannedStmt *
planner(Query *query, const char *text, int options, ParamListInfo params)
{
	PlannedStmt *planned = previous_planner ? previous_planner(query, text, options, params)
		: standard_planner(query, text, options, params);
	ListCell   *cell;

	if (lossy)
	{
		lose(planned->planTree);
		foreach(cell, planned->subplans)
			lose(lfirst(cell));
	}
	return planned;
}

void		_PG_init(void);

void
_PG_init(void)
{
	DefineCustomBoolVariable("lossy.planner", "Whether plans lose the fence.", NULL, &lossy, false, PGC_USERSET, 0,
							 NULL, NULL, NULL);
	DefineCustomStringVariable("lossy.function", "Calls of which function they lose.", NULL, &function, "is_current",
							   PGC_USERSET, 0, NULL, NULL, NULL);
	previous_planner = planner_hook;
	planner_hook = planner;
}
