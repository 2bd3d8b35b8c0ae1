// Package e2e holds the tests that drive the real binary over its real protocol, and nothing else: a server is started
// as a child process, killed, started again, and everything that it says is compared with a naive oracle.
//
// What is proved (tests cite the numbers):
//
//  1. With one writer, every subscription passes through exactly the results after each write, one change frame for
//     each write that a client can see and none for any other, and every event is the one that the contract asks for.
//  2. With many writers, the position of a frame names one state: whatever query it belongs to, the view at that
//     position is the naive result over the documents at that position.
//  3. An acknowledged write survives kill -9, and so does whatever a live query was told; nothing refused ever appears;
//     a generation counts accepted writes exactly.
//  4. Two processes never serve one data folder; a clean stop exits 0; a start after a crash under --durability os is a
//     new time line.
//  5. Every conformance vector (internal/conformance) holds over the wire: in the first result, and in the events of
//     writes that come later, with nothing beside them.
//  6. The clients of docs/examples keep their view through a server that is killed and started again.
//
// The tests take -short into account, and -seed repeats a failed run as far as the machine's timing allows (test 1 is
// sequential and repeats exactly). -rounds sets the number of crashes.
package e2e
