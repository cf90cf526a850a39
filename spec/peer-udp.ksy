meta:
  id: peer_udp
  title: peer-udp datagram
  endian: be
  encoding: UTF-8
  ks-version: "0.11"
doc: |
  One datagram of the peer-udp protocol, version 1, as the byte tables of wire.md give it. What is refused here is refused
  by every receiver; what this file does not check: flags against tags, the longest datagram, which names are allowed,
  bitmaps without a bit.
seq:
  - id: version
    type: b4
    valid: 1
  - id: reserved
    type: b1
    valid: false
  - id: app_limited
    type: b1
    doc: "CHUNK, TREE, ECHO, HAVE: the sender ran out of data before this one."
  - id: retransmitted
    type: b1
    doc: "CHUNK, TREE: its content was sent before in this upload."
  - id: ack
    type: b1
    doc: "HEARTBEAT, GOODBYE: this datagram answers one of the same tag."
  - id: tag
    type: u1
    enum: tag
    valid:
      in-enum: true
  - id: session
    type: u8
    valid:
      min: 1
  - id: sequence
    type: u4
    valid:
      min: 1
  - id: body
    type:
      switch-on: tag
      cases:
        tag::hello: hello
        tag::cookie: cookie
        tag::register: register
        tag::registered: registered
        tag::heartbeat: heartbeat
        tag::list: list
        tag::list_ack: list_ack
        tag::goodbye: goodbye
        tag::error: error
        tag::pull: pull
        tag::chunk: chunk
        tag::tree: tree
        tag::echo: echo
        tag::probe: probe
        tag::have: have
  - id: end
    size: 0
    valid:
      expr: _io.eof
    doc: No octet may be left.
types:
  hello:
    seq:
      - id: padding
        type: u1
        repeat: eos
        valid: 0
        doc: At least 25.
  cookie:
    seq:
      - id: cookie
        size: 20
      - id: version
        type: u4
        doc: 0 for no preview.
      - id: count
        type: u1
        valid:
          expr: version != 0 or count == 0
      - id: entries
        type: entry
        repeat: expr
        repeat-expr: count
        doc: All PRESENT.
  register:
    seq:
      - id: cookie
        size: 20
      - id: ttl
        type: u4
        doc: Seconds; 0 for until the manager closes.
        valid:
          max: 315_360_000
      - id: offer_count
        type: u1
        valid:
          max: 16
      - id: offers
        type: offer
        repeat: expr
        repeat-expr: offer_count
  offer:
    seq:
      - id: part
        type: u1
        enum: part
        valid:
          in-enum: true
      - id: size
        type: b56
        valid:
          max: 1_099_511_627_776
      - id: root
        size: 32
      - id: name_bytes
        type: u1
        valid:
          min: 1
      - id: name
        type: str
        size: name_bytes
  registered:
    seq:
      - id: epoch
        type: u8
        valid:
          min: 1
      - id: peer
        type: u4
      - id: ttl_left
        type: u4
        doc: Milliseconds; 0 for no TTL.
      - id: heartbeat
        type: u2
        doc: Milliseconds between heartbeats.
        valid:
          min: 1
      - id: version
        type: u4
  heartbeat:
    seq:
      - id: version
        type: u4
      - id: ttl_left
        type: u4
        doc: Milliseconds; 0 for no TTL, and from a peer.
  list:
    seq:
      - id: epoch
        type: u8
        valid:
          min: 1
      - id: version
        type: u4
      - id: base
        type: u4
        doc: 0 for a snapshot.
        valid:
          expr: base == 0 or base < version
      - id: page
        type: u2
      - id: pages
        type: u2
        valid:
          expr: pages > page and pages <= 4096
      - id: count
        type: u1
      - id: entries
        type: entry
        repeat: expr
        repeat-expr: count
  entry:
    seq:
      - id: kind
        type: u1
        enum: kind
        valid:
          in-enum: true
      - id: peer
        type: u4
      - id: body
        type:
          switch-on: kind
          cases:
            kind::present: present
            kind::left: left
  left:
    seq:
      - id: reason
        type: u1
        enum: reason
        valid:
          in-enum: true
  present:
    seq:
      - id: session
        type: u8
        valid:
          min: 1
      - id: family
        type: u1
        enum: family
        valid:
          in-enum: true
      - id: address
        size: 'family == family::ipv4 ? 4 : 16'
      - id: port
        type: u2
        valid:
          min: 1
      - id: ttl_left
        type: u4
        doc: Milliseconds; 0 for no TTL.
      - id: offer_count
        type: u1
        valid:
          max: 16
      - id: offers
        type: offer
        repeat: expr
        repeat-expr: offer_count
  list_ack:
    seq:
      - id: epoch
        type: u8
        valid:
          min: 1
      - id: version
        type: u4
      - id: base
        type: u4
        valid:
          expr: base == 0 or base < version
      - id: page
        type: u2
        valid:
          max: 4095
  goodbye:
    seq:
      - id: reason
        type: u1
        enum: reason
        valid:
          in-enum: true
  error:
    seq:
      - id: code
        type: u1
        enum: code
        valid:
          in-enum: true
      - id: tag
        type: u1
        enum: tag
        doc: Of the datagram that it answers; any value.
  pull:
    seq:
      - id: member
        type: u8
        valid:
          min: 1
      - id: root
        size: 32
      - id: statement
        type: u4
      - id: credit
        type: u4
      - id: rate
        type: u4
        doc: Kilobits a second, counting IP and UDP headers.
        valid:
          min: 1
      - id: horizon
        type: u4
      - id: largest
        type: u4
      - id: proof
        type: u4
        valid:
          expr: largest != 0 or proof == 0
      - id: chunk_size
        type: u2
        valid:
          min: 1024
          max: 65479
      - id: datagram
        type: u2
        doc: Octets of the longest CHUNK that the path is known to carry.
        valid:
          expr: _ >= 28 + chunk_size and _ <= 65507
      - id: probe
        type: u2
        doc: Length of the PROBE that is to be sent; 0 means none.
        valid:
          expr: _ == 0 or (_ >= 1201 and _ <= 65507)
      - id: page_count
        type: u1
      - id: range_count
        type: u1
      - id: block_count
        type: u1
      - id: pages
        type: page_want
        repeat: expr
        repeat-expr: page_count
      - id: ranges
        type: range_want
        repeat: expr
        repeat-expr: range_count
      - id: blocks
        type: block_want
        repeat: expr
        repeat-expr: block_count
  page_want:
    seq:
      - id: height
        type: u1
        doc: 31 asks for HAVE, from place `index` of the peer's log on.
        valid:
          expr: height <= 25 or height == 31
      - id: index
        type: u4
  range_want:
    seq:
      - id: first
        type: u4
      - id: count
        type: u2
        valid:
          expr: count > 0 and first + count <= 16_777_216
  block_want:
    seq:
      - id: block
        type: u4
        valid:
          max: 16_777_215
      - id: wanted
        type: b1
        repeat: expr
        repeat-expr: 64
        doc: Chunk by chunk, from chunk 0 on; at least one is wanted.
  bulk_prefix:
    seq:
      - id: sent_at
        type: u4
        doc: The sender's clock in microseconds, modulo 2^32.
      - id: echo
        type: u2
        doc: Low 16 bits of the sequence number of the newest PULL taken.
      - id: hold
        type: u2
        doc: Time since that PULL came, in units of 16 microseconds.
  chunk:
    seq:
      - id: prefix
        type: bulk_prefix
      - id: block
        type: u4
        valid:
          max: 16_777_215
      - id: offset
        type: u2
      - id: payload
        size-eos: true
        valid:
          expr: payload.size > 0 and offset + payload.size <= 65_536
  tree:
    seq:
      - id: prefix
        type: bulk_prefix
      - id: height
        type: u1
        valid:
          max: 25
      - id: index
        type: u4
      - id: count
        type: u1
        valid:
          min: 1
          max: 32
      - id: hashes
        size: 32
        repeat: expr
        repeat-expr: count
  echo:
    seq:
      - id: prefix
        type: bulk_prefix
  have:
    seq:
      - id: prefix
        type: bulk_prefix
      - id: from
        type: u4
        valid:
          expr: from < to
      - id: to
        type: u4
        valid:
          max: 33_554_432
      - id: count
        type: u1
        valid:
          max: 194
      - id: ranges
        type: have_range
        repeat: expr
        repeat-expr: count
  have_range:
    seq:
      - id: state
        type: u1
        enum: state
        valid:
          in-enum: true
      - id: first
        type: b24
      - id: blocks
        type: u2
        valid:
          min: 1
          expr: first + blocks <= 16_777_216
  probe:
    seq:
      - id: padding
        type: u1
        repeat: eos
        valid: 0
        doc: At least 1187.
enums:
  tag:
    0x01: hello
    0x02: cookie
    0x03: register
    0x04: registered
    0x05: heartbeat
    0x06: list
    0x07: list_ack
    0x08: goodbye
    0x09: error
    0x10: pull
    0x11: chunk
    0x12: tree
    0x13: echo
    0x14: probe
    0x15: have
  reason:
    1: goodbye
    2: ttl_ended
    3: silent
    4: manager_closing
    5: replaced
    6: done
  code:
    1: unknown_session
    2: bad_cookie
    3: list_full
    4: too_many_registrations
    5: not_listed
    6: no_such_root
    7: too_many_uploads
    8: file_lost
  state:
    0: there
    1: coming
  part:
    0: whole
    1: part
  kind:
    0: present
    1: left
  family:
    4: ipv4
    6: ipv6
