grant create on database :"DBNAME" to app_owner;
