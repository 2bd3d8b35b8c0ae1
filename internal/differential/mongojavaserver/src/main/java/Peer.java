import com.mongodb.MongoClientSettings;
import com.mongodb.MongoException;
import com.mongodb.ServerAddress;
import com.mongodb.client.FindIterable;
import com.mongodb.client.MongoClient;
import com.mongodb.client.MongoClients;
import com.mongodb.client.MongoCollection;
import com.mongodb.client.model.UpdateOptions;
import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.backend.memory.MemoryBackend;
import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.io.PrintStream;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import java.util.logging.Level;
import java.util.logging.Logger;
import org.bson.BsonArray;
import org.bson.BsonDocument;
import org.bson.BsonInt32;
import org.bson.BsonString;
import org.bson.BsonValue;
import org.bson.conversions.Bson;
import org.bson.json.JsonMode;
import org.bson.json.JsonWriterSettings;

/**
 * Answers rounds of queries and updates with mongo-java-server, which MongoDB's own driver asks over loopback: one
 * Extended JSON object a line on standard input, one on standard output. Ends when standard input does. The form of
 * the lines is described in ../peer_test.go.
 */
public final class Peer {
    private static final JsonWriterSettings CANONICAL =
            JsonWriterSettings.builder().outputMode(JsonMode.EXTENDED).build();

    private final MongoCollection<BsonDocument> documents;
    private final MongoCollection<BsonDocument> updated;

    private Peer(MongoClient client) {
        documents = client.getDatabase("differential").getCollection("documents", BsonDocument.class);
        updated = client.getDatabase("differential").getCollection("updated", BsonDocument.class);
    }

    public static void main(String[] arguments) throws IOException {
        Logger.getLogger("org.mongodb.driver").setLevel(Level.OFF);
        PrintStream out = new PrintStream(System.out, false, StandardCharsets.UTF_8);
        BufferedReader in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
        MongoServer server = new MongoServer(new MemoryBackend());
        InetSocketAddress address = server.bind();
        MongoClientSettings settings = MongoClientSettings.builder()
                .applyToClusterSettings(cluster -> cluster.hosts(
                        List.of(new ServerAddress(address.getHostString(), address.getPort()))))
                .build();
        try (MongoClient client = MongoClients.create(settings)) {
            Peer peer = new Peer(client);
            for (String line = in.readLine(); line != null; line = in.readLine()) {
                out.println(peer.round(BsonDocument.parse(line)).toJson(CANONICAL));
                out.flush();
            }
        } finally {
            server.shutdownNow();
        }
    }

    private BsonDocument round(BsonDocument round) {
        documents.drop();
        List<BsonDocument> all = new ArrayList<>();
        for (BsonValue document : round.getArray("documents", new BsonArray())) {
            all.add(document.asDocument());
        }
        if (!all.isEmpty()) {
            documents.insertMany(all);
        }
        BsonArray queries = new BsonArray();
        for (BsonValue query : round.getArray("queries", new BsonArray())) {
            queries.add(answer(() -> query(query.asDocument())));
        }
        BsonArray updates = new BsonArray();
        for (BsonValue update : round.getArray("updates", new BsonArray())) {
            updates.add(answer(() -> update(update.asDocument())));
        }
        return new BsonDocument("queries", queries).append("updates", updates);
    }

    private static BsonDocument answer(Supplier<BsonDocument> ask) {
        try {
            return ask.get();
        } catch (MongoException e) {
            return new BsonDocument("error", new BsonString(String.valueOf(e.getMessage())));
        }
    }

    private BsonDocument query(BsonDocument query) {
        FindIterable<BsonDocument> found = documents.find(query.getDocument("filter"));
        if (query.containsKey("sort")) {
            BsonDocument sort = new BsonDocument();
            for (BsonValue part : query.getArray("sort")) {
                sort.append(part.asArray().get(0).asString().getValue(), part.asArray().get(1));
            }
            found = found.sort(sort);
        }
        found = found.skip(query.getInt32("skip", new BsonInt32(0)).getValue())
                .limit(query.getInt32("limit", new BsonInt32(0)).getValue());
        boolean whole = query.containsKey("projection");
        if (whole) {
            found = found.projection(query.getDocument("projection"));
        }
        BsonArray list = new BsonArray();
        for (BsonDocument document : found) {
            list.add(whole ? document : document.get("_id"));
        }
        return new BsonDocument(whole ? "documents" : "ids", list);
    }

    private BsonDocument update(BsonDocument update) {
        BsonDocument before = update.getDocument("document");
        Bson same = new BsonDocument("_id", before.get("_id"));
        updated.deleteMany(new BsonDocument());
        updated.insertOne(before);
        UpdateOptions options = new UpdateOptions();
        if (update.containsKey("arrayFilters")) {
            List<Bson> filters = new ArrayList<>();
            for (BsonValue filter : update.getArray("arrayFilters")) {
                filters.add(filter.asDocument());
            }
            options.arrayFilters(filters);
        }
        updated.updateOne(same, update.getDocument("update"), options);
        return new BsonDocument("document", updated.find(same).first());
    }
}
