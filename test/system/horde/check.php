<?php
// One account read and changed with Horde_Imap_Client; prints what it saw as JSON.   check.php HOST PORT USER PASSWORD CA-FILE
spl_autoload_register(fn ($class) => @include strtr($class, '_\\\\', '//') . '.php');

[, $host, $port, $user, $password, $ca] = $argv;
$client = new Horde_Imap_Client_Socket([
    'hostspec' => $host, 'port' => (int) $port, 'username' => $user, 'password' => $password, 'secure' => 'ssl',
    'context' => ['ssl' => ['cafile' => $ca, 'verify_peer' => true, 'peer_name' => $host]],
]);
$seen = [];
$client->login();
$seen['folders'] = array_map('strval', $client->listMailboxes('*', Horde_Imap_Client::MBOX_ALL, ['flat' => true]));

$client->createMailbox('Horde/Čačak');
$messages = [];
// Once UTF8=ACCEPT is on, Horde sends what is shorter than 100 bytes as a quoted string, with its line ends: no server takes that.
foreach (['one', 'two', 'three'] as $subject)
    $messages[] = ['data' => "Subject: $subject\r\nFrom: <horde@remote.test>\r\nTo: <horde@example.test>\r\nMessage-ID: <$subject@horde.remote.test>\r\n\r\nbody of $subject\r\n"];
$seen['appended'] = count($client->append('Horde/Čačak', $messages));

$query = new Horde_Imap_Client_Search_Query();
$query->headerText('subject', 'two');
$found = $client->search('Horde/Čačak', $query)['match'];
$seen['found'] = count($found);
$client->store('Horde/Čačak', ['ids' => $found, 'add' => ['\\flagged', '$label1']]);

$fetch = new Horde_Imap_Client_Fetch_Query();
$fetch->envelope();
$fetch->flags();
$fetch->structure();
$fetch->fullText(['peek' => true]);
foreach ($client->fetch('Horde/Čačak', $fetch, ['ids' => $found]) as $message) {
    $seen['subject'] = $message->getEnvelope()->subject;
    $seen['flags'] = $message->getFlags();
    $seen['type'] = $message->getStructure()->getType();
    $seen['text'] = $message->getFullMsg();
}
$client->copy('Horde/Čačak', 'Archive', ['ids' => $found, 'move' => true]);
$seen['left'] = $client->status('Horde/Čačak', Horde_Imap_Client::STATUS_MESSAGES)['messages'];
$seen['sorted'] = $client->search('Horde/Čačak', null, ['sort' => [Horde_Imap_Client::SORT_SUBJECT]])['match']->ids;
$box = Horde_Imap_Client_Mailbox::get('Horde/Čačak');
$first = $client->getSyncToken($box);
$client->expunge('Horde/Čačak', ['ids' => new Horde_Imap_Client_Ids($seen['sorted'][0]), 'delete' => true]);
$sync = $client->sync($box, $first, ['ids' => new Horde_Imap_Client_Ids($seen['sorted'])]);
$seen['vanished'] = $sync->vanisheduids->ids;
$seen['archive'] = $client->status('Archive', Horde_Imap_Client::STATUS_MESSAGES)['messages'];
$client->logout();
echo json_encode($seen, JSON_UNESCAPED_UNICODE), "\n";
