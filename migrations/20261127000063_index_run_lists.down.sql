DROP INDEX runs.runs_list;
DROP FUNCTION runs.list_class(text);
