// Answers rounds of queries and updates with mingo: one JSON object a line on standard input, one on standard output.
// Ends when standard input does. The form of the lines is described in ../peer_test.go.
import { createInterface } from "node:readline";
import { find, updateOne } from "mingo";

// decode turns canonical Extended JSON into the values that mingo knows. Every number is a double in JavaScript; the
// tests send no integer beyond 2^53.
function decode(v) {
  if (Array.isArray(v)) return v.map(decode);
  if (v === null || typeof v !== "object") return v;
  const names = Object.keys(v);
  if (names.length === 1) {
    switch (names[0]) {
      case "$numberInt":
      case "$numberLong":
      case "$numberDouble":
        return Number(v[names[0]]);
      case "$date":
        return new Date(Number(decode(v.$date)));
      case "$regularExpression":
        return new RegExp(v.$regularExpression.pattern, v.$regularExpression.options);
    }
  }
  return Object.fromEntries(names.map((name) => [name, decode(v[name])]));
}

function encode(v) {
  if (v === undefined || v === null) return null;
  if (Array.isArray(v)) return Array.from(v, encode); // holes too
  if (v instanceof Date) return { $date: { $numberLong: String(v.getTime()) } };
  if (v instanceof RegExp) return { $regularExpression: { pattern: v.source, options: v.flags } };
  if (typeof v === "number") return Number.isInteger(v) ? { $numberLong: String(v) } : { $numberDouble: String(v) };
  if (typeof v !== "object") return v;
  return Object.fromEntries(Object.keys(v).filter((name) => v[name] !== undefined).map((name) => [name, encode(v[name])]));
}

function query(documents, q) {
  const cursor = find(documents.map(decode), decode(q.filter), q.projection ? decode(q.projection) : undefined);
  if (q.sort) cursor.sort(Object.fromEntries(q.sort));
  if (q.skip) cursor.skip(q.skip);
  if (q.limit) cursor.limit(q.limit);
  const found = cursor.all();
  return q.projection ? { documents: found.map(encode) } : { ids: found.map((d) => d._id) };
}

function update(u) {
  const documents = [decode(u.document)];
  const options = u.arrayFilters ? { arrayFilters: u.arrayFilters.map(decode) } : {};
  updateOne(documents, { _id: documents[0]._id }, decode(u.update), options);
  return { document: encode(documents[0]) };
}

function answer(ask) {
  try {
    return ask();
  } catch (e) {
    return { error: String(e && e.message) || "an error without a message" };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const round = JSON.parse(line);
  const answers = {
    queries: (round.queries ?? []).map((q) => answer(() => query(round.documents, q))),
    updates: (round.updates ?? []).map((u) => answer(() => update(u))),
  };
  process.stdout.write(JSON.stringify(answers) + "\n");
}
