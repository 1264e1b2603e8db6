// Makes the files of this folder with HdrHistogram for Java, version 2.1.11 (Debian: libhdrhistogram-java):
//
//     cd tests/hdr
//     for count in 0 1 300000 7000000; do
//       java -cp /usr/share/java/hdrhistogram.jar Percentiles.java $count > $count.hgrm
//     done
//
// src/cli/bench/out/hgrm.rs records the same values and compares every byte.
import org.HdrHistogram.Histogram;

class Percentiles {
    public static void main(String[] args) {
        Histogram histogram = new Histogram(3_600_000_000L, 3);
        for (long i = 0; i < Long.parseLong(args[0]); i++) {
            long value = 80 + i * i % 7_919;
            if (i % 50_000 == 49_999) {
                value = 900_000 + i * 10;
            } else if (i % 1_000 == 999) {
                value = value * 40 + i;
            }
            histogram.recordValue(value);
        }
        histogram.outputPercentileDistribution(System.out, 1000.0);
    }
}
