import java.io.ByteArrayOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.yarn.conf.YarnConfiguration;
import org.apache.hadoop.yarn.server.MiniYARNCluster;

/** A ResourceManager and one NodeManager; writes the configuration of their clients, and runs until its input ends. */
public final class Cluster {
  public static void main(String[] arguments) throws Exception {
    YarnConfiguration configuration = new YarnConfiguration();
    configuration.set("fs.defaultFS", "file:///");
    configuration.setInt(YarnConfiguration.YARN_MINICLUSTER_NM_PMEM_MB, 3072);
    configuration.setInt(YarnConfiguration.RM_SCHEDULER_MINIMUM_ALLOCATION_MB, 128);
    configuration.setBoolean(YarnConfiguration.NM_VMEM_CHECK_ENABLED, false);
    configuration.setBoolean(YarnConfiguration.NM_PMEM_CHECK_ENABLED, false);
    configuration.setFloat(YarnConfiguration.NM_MAX_PER_DISK_UTILIZATION_PERCENTAGE, 99.9f);
    configuration.set("yarn.scheduler.capacity.root.queues", "default");
    configuration.set("yarn.scheduler.capacity.root.default.capacity", "100");
    configuration.set("yarn.scheduler.capacity.maximum-am-resource-percent", "1.0");
    try (MiniYARNCluster cluster = new MiniYARNCluster("cape", 1, 1, 1)) {
      cluster.init(configuration);
      cluster.start();
      if (!cluster.waitForNodeManagersToConnect(60_000)) {
        throw new IllegalStateException("no NodeManager");
      }
      // At once: the file is on the class path, and threads of the cluster would read it half-written.
      ByteArrayOutputStream site = new ByteArrayOutputStream();
      new Configuration(cluster.getConfig()).writeXml(site);
      Path whole = Files.write(Path.of(arguments[0], "yarn-site.xml.whole"), site.toByteArray());
      Files.move(whole, Path.of(arguments[0], "yarn-site.xml"), StandardCopyOption.ATOMIC_MOVE);
      System.out.println("MANAGER " + cluster.getConfig().get(YarnConfiguration.RM_WEBAPP_ADDRESS));
      while (System.in.read() >= 0) {
        // Whoever started this closes it, or dies.
      }
    }
    System.exit(0);
  }
}
