/* Whose mail it is, for the sake of fairness: within a destination the flows take turns, so that a list of
 * many thousand does not stand before one letter of somebody else. A flow is a submitter's account, or the
 * domain of the envelope sender; and a priority, so that a flow's mail is of one priority. Pure. */
#ifndef QUEUE_FLOW_H
#define QUEUE_FLOW_H
#include "queue/envelope.h"

/* Never negative. Senders who are not users of ours share FLOW_GROUPS flows by their domains' hashes: whoever
 * makes up many senders has that many turns at most, and that much memory. */
#define FLOW_GROUPS 1024
int64_t flow_of(const struct envelope *asked, struct str sender);
int flow_priority(int64_t flow); /* -ENVELOPE_PRIORITY_MAX to ENVELOPE_PRIORITY_MAX */

#endif
