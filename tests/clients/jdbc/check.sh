#!/bin/sh
# The classes of the page and of the check, with Debian's jars.
set -e
classpath=.
for jar in postgresql HikariCP slf4j-api slf4j-nop commons-logging spring3-core spring3-beans spring3-transaction spring3-jdbc; do
    classpath=$classpath:$CLIENTS_HOME/usr/share/java/$jar.jar
done
javac -cp "$classpath" ./*.java
exec java -cp "$classpath" -Dorg.apache.commons.logging.Log=org.apache.commons.logging.impl.NoOpLog Check
