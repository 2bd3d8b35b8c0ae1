import com.ibm.icu.text.Collator;
import com.ibm.icu.text.RuleBasedCollator;
import com.ibm.icu.util.ULocale;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.util.HexFormat;

/**
 * Compares strings with ICU, for the differential tests. A line is fields set off by tabs: a locale, the strength, case
 * level, which case is first, numeric ordering, alternate, backwards and maxVariable (as in MongoDB's collations, true and
 * false as such, "-" for the locale's own), and an even number of strings as hexadecimal digits of UTF-8. The answer is a
 * line of two characters for each two strings: {@code <}, {@code =} or {@code >} by a comparison, and by their sort keys,
 * which in this version of ICU do not always say the same. Ends when standard input does.
 */
public final class Comparer {
    private static final int OPTIONS = 8;

    public static void main(String[] arguments) throws IOException {
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        for (String line = in.readLine(); line != null; line = in.readLine()) {
            out.println(answer(line.split("\t", -1)));
            out.flush();
        }
    }

    private static String answer(String[] fields) {
        RuleBasedCollator collator = collator(fields);
        StringBuilder answer = new StringBuilder();
        for (int i = OPTIONS; i + 1 < fields.length; i += 2) {
            String a = text(fields[i]), b = text(fields[i + 1]);
            answer.append("<=>".charAt(1 + collator.compare(a, b)));
            int byKeys = collator.getCollationKey(a).compareTo(collator.getCollationKey(b));
            answer.append("<=>".charAt(1 + Integer.signum(byKeys)));
        }
        return answer.toString();
    }

    private static String text(String digits) {
        return new String(HexFormat.of().parseHex(digits), StandardCharsets.UTF_8);
    }

    private static RuleBasedCollator collator(String[] fields) {
        RuleBasedCollator collator =
                ((RuleBasedCollator) Collator.getInstance(new ULocale(fields[0]))).cloneAsThawed();
        collator.setDecomposition(Collator.CANONICAL_DECOMPOSITION);
        int strength = Integer.parseInt(fields[1]);
        collator.setStrength(strength == 5 ? Collator.IDENTICAL : strength - 1);
        collator.setCaseLevel(fields[2].equals("true"));
        switch (fields[3]) {
            case "upper" -> collator.setUpperCaseFirst(true);
            case "lower" -> collator.setLowerCaseFirst(true);
            case "off" -> collator.setUpperCaseFirst(false);
            default -> { }
        }
        collator.setNumericCollation(fields[4].equals("true"));
        if (!fields[5].equals("-")) {
            collator.setAlternateHandlingShifted(fields[5].equals("shifted"));
        }
        if (!fields[6].equals("-")) {
            collator.setFrenchCollation(fields[6].equals("true"));
        }
        collator.setMaxVariable(fields[7].equals("space") ? Collator.ReorderCodes.SPACE : Collator.ReorderCodes.PUNCTUATION);
        return collator;
    }
}
