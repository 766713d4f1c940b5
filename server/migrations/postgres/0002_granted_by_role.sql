-- The board asks which stations have workers; volunteers are most of the table.
CREATE INDEX granted_role ON granted (role, unit);
