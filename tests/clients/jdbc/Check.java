import com.zaxxer.hikari.HikariConfig;
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.springframework.dao.DataAccessException;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.transaction.TransactionDefinition;
import org.springframework.transaction.support.TransactionTemplate;

/** What every page's code must show, by plain JDBC and by Spring. */
public class Check {
    static final boolean POOLED = "PgBouncer".equals(System.getenv("ROUTE"));
    static final String NOTES = "select note from orders order by note";
    static int failed = 0;

    interface Test {
        void run() throws Exception;
    }

    static class Stop extends RuntimeException {}

    /** What a page does, in one of two ways. */
    interface Page {
        List<String> run(String tenant, String... statements) throws Exception;

        String outside(String query) throws Exception;
    }

    public static void main(String[] arguments) throws Exception {
        HikariConfig config = new HikariConfig();
        config.setJdbcUrl(
                "jdbc:postgresql://127.0.0.1:" + System.getenv("PGPORT") + "/" + System.getenv("PGDATABASE") + "?user=app");
        config.setMaximumPoolSize(4);
        HikariDataSource pool = new HikariDataSource(config);
        JdbcTemplate jdbc = new JdbcTemplate(pool);
        TransactionTemplate transaction = new TransactionTemplate(new TenantTransactionManager(pool));

        same("JDBC", new Page() {
            public List<String> run(String tenant, String... statements) throws Exception {
                return Tenants.in(pool, tenant, connection -> {
                    for (String sql : statements) execute(connection, sql);
                    return notes(connection);
                });
            }

            public String outside(String query) throws Exception {
                try (Connection connection = pool.getConnection();
                        ResultSet rows = connection.createStatement().executeQuery(query)) {
                    rows.next();
                    return rows.getString(1);
                }
            }
        });
        same("Spring", new Page() {
            public List<String> run(String tenant, String... statements) {
                TenantTransactionManager.TENANT.set(tenant);
                try {
                    return transaction.execute(status -> {
                        for (String sql : statements) {
                            if (sql == null) throw new Stop();
                            jdbc.update(sql);
                        }
                        return jdbc.queryForList(NOTES, String.class);
                    });
                } finally {
                    TenantTransactionManager.TENANT.remove();
                }
            }

            public String outside(String query) {
                return jdbc.queryForObject(query, String.class);
            }
        });
        test("Spring: a nested transaction is a savepoint, a new one enters by itself", () -> {
            TenantTransactionManager.TENANT.set("acme");
            try {
                transaction.execute(status -> {
                    for (int propagation : new int[] {
                        TransactionDefinition.PROPAGATION_NESTED, TransactionDefinition.PROPAGATION_REQUIRES_NEW
                    }) {
                        TransactionTemplate inner = new TransactionTemplate(transaction.getTransactionManager());
                        inner.setPropagationBehavior(propagation);
                        equal(List.of("anvil"), inner.execute(s -> jdbc.queryForList(NOTES, String.class)));
                    }
                    return null;
                });
            } finally {
                TenantTransactionManager.TENANT.remove();
            }
        });
        if (!POOLED) {
            test("a dirty connection is not lent again", () -> {
                try (Connection connection = pool.getConnection()) {
                    execute(connection, "create temporary table left_behind ()");
                }
                int dirty = 0;
                for (int i = 0; i < 8; i++) {
                    try {
                        equal(List.of("anvil"), Tenants.in(pool, "acme", Check::notes));
                    } catch (SQLException error) {
                        equal("TN008", error.getSQLState());
                        dirty++;
                    }
                }
                equal(1, dirty);
            });
        }
        pool.close();
        System.exit(failed == 0 ? 0 : 1);
    }

    static void same(String name, Page page) {
        test(name + ": a tenant sees its own rows only", () -> {
            equal(List.of("anvil"), page.run("acme"));
            equal(List.of("stapler"), page.run("globex"));
        });
        test(name + ": a row is the tenant's that wrote it", () -> {
            equal(List.of("anvil", "rope"), page.run("acme", "insert into orders (note) values ('rope')"));
            equal(List.of("stapler"), page.run("globex"));
            equal(List.of("anvil"), page.run("acme", "delete from orders where note = 'rope'"));
        });
        test(name + ": forgetting is refused", () -> equal("TN001", refused(() -> page.outside(NOTES))));
        test(name + ": an exception leaves no tenant and no row", () -> {
            try {
                page.run("acme", "insert into orders (note) values ('lost')", null);
                throw new AssertionError("was not thrown");
            } catch (Stop stop) {
                equal(null, page.outside("select tenant.current_id()"));
            }
            equal(List.of("anvil"), page.run("acme"));
            equal(List.of("stapler"), page.run("globex"));
        });
        test(name + ": an unknown tenant is refused and the pool goes on", () -> {
            equal("TN002", refused(() -> page.run("nobody")));
            equal(List.of("anvil"), page.run("acme"));
        });
        test(name + ": two tenants at once do not mix", () -> {
            ExecutorService threads = Executors.newFixedThreadPool(6);
            List<Future<?>> loops = new ArrayList<>();
            for (int i = 0; i < 6; i++) {
                String[] of = i % 2 == 0 ? new String[] {"acme", "anvil"} : new String[] {"globex", "stapler"};
                loops.add(threads.submit((Callable<Void>) () -> {
                    for (int j = 0; j < 25; j++) equal(List.of(of[1]), page.run(of[0]));
                    return null;
                }));
            }
            for (Future<?> loop : loops) loop.get();
            threads.shutdown();
        });
    }

    static List<String> notes(Connection connection) throws SQLException {
        try (Statement statement = connection.createStatement(); ResultSet rows = statement.executeQuery(NOTES)) {
            List<String> notes = new ArrayList<>();
            while (rows.next()) notes.add(rows.getString(1));
            return notes;
        }
    }

    static void execute(Connection connection, String sql) throws SQLException {
        if (sql == null) throw new Stop();
        try (Statement statement = connection.createStatement()) {
            statement.execute(sql);
        }
    }

    /** The SQLSTATE of what the work throws, or of its cause. */
    static String refused(Callable<?> work) throws Exception {
        try {
            work.call();
        } catch (SQLException | DataAccessException | org.springframework.transaction.TransactionException error) {
            for (Throwable cause = error; cause != null; cause = cause.getCause()) {
                if (cause instanceof SQLException) return ((SQLException) cause).getSQLState();
            }
            throw error;
        }
        throw new AssertionError("was not refused");
    }

    static void equal(Object expected, Object found) {
        if (!Objects.equals(expected, found)) throw new AssertionError("expected " + expected + ", found " + found);
    }

    static void test(String name, Test test) {
        try {
            test.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            failed++;
            System.out.println("not ok " + name);
            error.printStackTrace();
        }
    }
}
