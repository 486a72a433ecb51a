#!/bin/sh
# Runs once, when the container makes its cluster. UniMsg's own role is no superuser: row-level security, the second fence
# between tenants, does not hold for a superuser.
set -eu
psql --no-psqlrc --set=ON_ERROR_STOP=1 --set=password="$UNIMSG_DATABASE_PASSWORD" --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
CREATE ROLE unimsg LOGIN PASSWORD :'password';
CREATE DATABASE unimsg OWNER unimsg;
SQL
