-- From 0.1.0 to 0.2.0. An upgraded database equals a fresh one, object by object: tests/tests/upgrade/.
\echo Use "alter extension pg_tenant update" to load this file. \quit
