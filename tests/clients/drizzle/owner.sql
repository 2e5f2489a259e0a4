drop table orders; -- Drizzle makes it
