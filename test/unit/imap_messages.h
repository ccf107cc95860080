/* The two messages of the IMAP session tests. */
#ifndef TEST_UNIT_IMAP_MESSAGES_H
#define TEST_UNIT_IMAP_MESSAGES_H
#include "base/str.h"

/* 299 bytes, 244 of them header. */
#define MESSAGE_PLAIN                                          \
    STR("From: Fred Foobar <foobar@Blurdybloop.example>\r\n"   \
        "To: mooch@owatagu.example\r\n"                        \
        "Subject: afternoon meeting\r\n"                       \
        "Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\n"      \
        "Message-Id: <B27397-0100000@Blurdybloop.example>\r\n" \
        "Content-Type: text/plain; charset=us-ascii\r\n"       \
        "\r\n"                                                 \
        "Hello Joe, do you think we can meet at 3:30 tomorrow?\r\n")

/* A text, and a message that has an alternative of two texts. */
#define MESSAGE_NESTED                                            \
    STR("From: Terry Gray <gray@cac.example>\r\n"                 \
        "To: imap@cac.example, <second@cac.example>\r\n"          \
        "Subject: IMAP4rev1 WG mtg summary\r\n"                   \
        " and minutes\r\n"                                        \
        "Date: Wed, 17 Jul 1996 02:23:25 -0700\r\n"               \
        "MIME-Version: 1.0\r\n"                                   \
        "Content-Type: multipart/mixed; boundary=outer\r\n"       \
        "\r\n"                                                    \
        "preamble\r\n"                                            \
        "--outer\r\n"                                             \
        "Content-Type: text/plain\r\n"                            \
        "\r\n"                                                    \
        "the text\r\n"                                            \
        "--outer\r\n"                                             \
        "Content-Type: message/rfc822\r\n"                        \
        "\r\n"                                                    \
        "Subject: inner\r\n"                                      \
        "X-Field: one\r\n"                                        \
        "Content-Type: multipart/alternative; boundary=inner\r\n" \
        "\r\n"                                                    \
        "--inner\r\n"                                             \
        "Content-Type: text/plain\r\n"                            \
        "\r\n"                                                    \
        "plain\r\n"                                               \
        "--inner\r\n"                                             \
        "Content-Type: text/html\r\n"                             \
        "Content-Id: <html>\r\n"                                  \
        "\r\n"                                                    \
        "<p>html\r\n"                                             \
        "--inner--\r\n"                                           \
        "--outer--\r\n")

#endif
