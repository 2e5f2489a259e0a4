alter database :"DBNAME" set jit = on;
