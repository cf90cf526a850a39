-- Wireshark dissector for peer-udp, version 1; the byte tables stand in wire.md, how to load it at its end.
-- Datagrams to and from the manager are known by their port, those between peers by their header and length.

local proto = Proto("peer_udp", "peer-udp")
proto.prefs.port = Pref.uint("Manager's UDP port", 5000, "The port on which the manager listens")

local TAGS = {
  [0x01] = "HELLO", [0x02] = "COOKIE", [0x03] = "REGISTER", [0x04] = "REGISTERED", [0x05] = "HEARTBEAT",
  [0x06] = "LIST", [0x07] = "LIST_ACK", [0x08] = "GOODBYE", [0x09] = "ERROR",
  [0x10] = "PULL", [0x11] = "CHUNK", [0x12] = "TREE", [0x13] = "ECHO",
  [0x14] = "PROBE", [0x15] = "HAVE",
}
local REASONS = { "GOODBYE", "TTL_ENDED", "SILENT", "MANAGER_CLOSING", "REPLACED", "DONE" }
local CODES = {
  "UNKNOWN_SESSION", "BAD_COOKIE", "LIST_FULL", "TOO_MANY_REGISTRATIONS", "NOT_LISTED", "NO_SUCH_ROOT",
  "TOO_MANY_UPLOADS", "FILE_LOST",
}
local PARTS = { [0] = "whole", [1] = "part" }
local STATES = { [0] = "there", [1] = "coming" }
local KINDS = { [0] = "PRESENT", [1] = "LEFT" }
local FAMILIES = { [4] = "IPv4", [6] = "IPv6" }

-- Flags that a tag may carry; none where it is not named.
local FLAGS_ALLOWED = { [0x05] = 0x1, [0x08] = 0x1, [0x11] = 0x6, [0x12] = 0x6, [0x13] = 0x4, [0x15] = 0x4 }

-- Least and greatest length of each tag's datagrams.
local BYTES = {
  [0x01] = { 39, 1200 }, [0x02] = { 39, 1200 }, [0x03] = { 39, 1167 }, [0x04] = { 36, 36 }, [0x05] = { 22, 22 },
  [0x06] = { 35, 1200 }, [0x07] = { 32, 32 }, [0x08] = { 15, 15 }, [0x09] = { 16, 16 },
  [0x10] = { 87, 1200 }, [0x11] = { 29, 65507 }, [0x12] = { 60, 1052 }, [0x13] = { 22, 22 },
  [0x14] = { 1201, 65507 }, [0x15] = { 31, 1195 },
}

local field = {}
local function define(name, make, label, ...)
  field[name] = make("peer_udp." .. name, label, ...)
end

define("version", ProtoField.uint8, "Version", base.DEC, nil, 0xf0)
define("ack", ProtoField.bool, "Ack", 8, nil, 0x01)
define("retransmitted", ProtoField.bool, "Retransmitted", 8, nil, 0x02)
define("app_limited", ProtoField.bool, "App limited", 8, nil, 0x04)
define("tag", ProtoField.uint8, "Tag", base.HEX, TAGS)
define("session", ProtoField.uint64, "Session", base.HEX)
define("sequence", ProtoField.uint32, "Sequence", base.DEC)

define("padding", ProtoField.bytes, "Padding")
define("cookie", ProtoField.bytes, "Cookie")
define("ttl", ProtoField.uint32, "TTL (s)", base.DEC)
define("ttl_left", ProtoField.uint32, "TTL left (ms)", base.DEC)
define("epoch", ProtoField.uint64, "Epoch", base.HEX)
define("peer", ProtoField.uint32, "Peer", base.DEC)
define("heartbeat", ProtoField.uint16, "Heartbeat (ms)", base.DEC)
define("list_version", ProtoField.uint32, "List version", base.DEC)
define("list_base", ProtoField.uint32, "List base", base.DEC)
define("list_page", ProtoField.uint16, "Page", base.DEC)
define("list_pages", ProtoField.uint16, "Pages", base.DEC)
define("reason", ProtoField.uint8, "Reason", base.DEC, REASONS)
define("code", ProtoField.uint8, "Code", base.DEC, CODES)
define("about", ProtoField.uint8, "About", base.HEX, TAGS)

define("offer_count", ProtoField.uint8, "Offers", base.DEC)
define("offer", ProtoField.none, "Offer")
define("part", ProtoField.uint8, "Part", base.DEC, PARTS)
define("offer_size", ProtoField.uint64, "Size", base.DEC)
define("root", ProtoField.bytes, "Root")
define("name_bytes", ProtoField.uint8, "Length of the name", base.DEC)
define("name", ProtoField.string, "Name", base.UNICODE)

define("entry_count", ProtoField.uint8, "Entries", base.DEC)
define("entry", ProtoField.none, "Entry")
define("entry_kind", ProtoField.uint8, "Kind", base.DEC, KINDS)
define("entry_session", ProtoField.uint64, "Session", base.HEX)
define("family", ProtoField.uint8, "Family", base.DEC, FAMILIES)
define("ipv4", ProtoField.ipv4, "Address")
define("ipv6", ProtoField.ipv6, "Address")
define("port", ProtoField.uint16, "Port", base.DEC)

define("member", ProtoField.uint64, "Member", base.HEX)
define("statement", ProtoField.uint32, "Statement", base.DEC)
define("credit", ProtoField.uint32, "Credit", base.DEC)
define("rate", ProtoField.uint32, "Rate (kbit/s)", base.DEC)
define("horizon", ProtoField.uint32, "Horizon", base.DEC)
define("largest", ProtoField.uint32, "Largest", base.DEC)
define("proof", ProtoField.uint32, "Proof", base.DEC)
define("chunk_size", ProtoField.uint16, "Chunk size", base.DEC)
define("datagram", ProtoField.uint16, "Longest CHUNK", base.DEC)
define("probe", ProtoField.uint16, "PROBE wanted", base.DEC)
define("page_count", ProtoField.uint8, "Pages", base.DEC)
define("range_count", ProtoField.uint8, "Ranges", base.DEC)
define("block_count", ProtoField.uint8, "Blocks", base.DEC)
define("page", ProtoField.none, "Page")
define("range", ProtoField.none, "Range")
define("have_range", ProtoField.none, "Range")
define("state", ProtoField.uint8, "State", base.DEC, STATES)
define("range_first", ProtoField.uint32, "First block", base.DEC)
define("range_blocks", ProtoField.uint16, "Blocks", base.DEC)
define("want", ProtoField.none, "Part of a block")
define("wanted", ProtoField.bytes, "Wanted chunks")

define("sent_at", ProtoField.uint32, "Sent at (us)", base.DEC)
define("echo", ProtoField.uint16, "Echo of PULL", base.DEC)
define("hold", ProtoField.uint16, "Hold (16 us)", base.DEC)
define("block", ProtoField.uint32, "Block", base.DEC)
define("offset", ProtoField.uint16, "Offset", base.DEC)
define("payload", ProtoField.bytes, "Payload")
define("height", ProtoField.uint8, "Height", base.DEC)
define("index", ProtoField.uint32, "Index", base.DEC)
define("have_from", ProtoField.uint32, "From place", base.DEC)
define("have_to", ProtoField.uint32, "To place", base.DEC)
define("hash_count", ProtoField.uint8, "Hashes", base.DEC)
define("hash", ProtoField.bytes, "Hash")
proto.fields = field

local malformed = ProtoExpert.new("peer_udp.malformed", "Malformed", expert.group.MALFORMED, expert.severity.ERROR)
proto.experts = { malformed }

-- A cursor walks the datagram. Past its end it adds nothing and gives nil: no octet that is not there is ever asked for.
local Cursor = {}
Cursor.__index = Cursor

function Cursor.new(tvb)
  return setmetatable({ tvb = tvb, at = 0, short = false }, Cursor)
end

function Cursor:left()
  return self.tvb:len() - self.at
end

-- Adds the next `size` octets to `tree` as a field, text as UTF-8; gives them as a range, and the new item.
function Cursor:add(tree, name, size)
  if self.short or size > self:left() then
    self.short = true
    return nil
  end
  local range = self.tvb(self.at, size)
  local item = tree:add_packet_field(field[name], range, name == "name" and ENC_UTF_8 or ENC_BIG_ENDIAN)
  self.at = self.at + size
  return range, item
end

function Cursor:number(tree, name, size)
  local range, item = self:add(tree, name, size)
  return range and range:uint() or 0, item
end

-- Adds a subtree for each of `count` elements, as far as there are octets.
function Cursor:each(tree, name, count, element)
  for index = 0, count - 1 do
    if self.short or self:left() == 0 then
      self.short = true
      return
    end
    local start = self.at
    local item = tree:add(field[name], self.tvb(start, self:left()))
    item:append_text(" " .. index)
    element(self, item)
    item:set_len(self.at - start)
  end
end

local function offer(cursor, tree)
  cursor:add(tree, "part", 1)
  cursor:add(tree, "offer_size", 7)
  cursor:add(tree, "root", 32)
  local name = cursor:add(tree, "name", cursor:number(tree, "name_bytes", 1))
  if name then tree:append_text(": " .. name:string(ENC_UTF_8)) end
end

local function offers(cursor, tree)
  cursor:each(tree, "offer", cursor:number(tree, "offer_count", 1), offer)
end

local function entry(cursor, tree)
  local kind = cursor:number(tree, "entry_kind", 1)
  local peer = cursor:number(tree, "peer", 4)
  tree:append_text(string.format(": peer %d %s", peer, KINDS[kind] or "of unknown kind"))
  if kind == 1 then
    cursor:add(tree, "reason", 1)
  elseif kind == 0 then
    cursor:add(tree, "entry_session", 8)
    local family = cursor:number(tree, "family", 1)
    if FAMILIES[family] == nil then
      cursor.short = true
      return
    end
    cursor:add(tree, family == 4 and "ipv4" or "ipv6", family == 4 and 4 or 16)
    cursor:add(tree, "port", 2)
    cursor:add(tree, "ttl_left", 4)
    offers(cursor, tree)
  else
    cursor.short = true
  end
end

local function page(cursor, tree)
  local height = cursor:number(tree, "height", 1)
  local index = cursor:number(tree, "index", 4)
  tree:append_text(string.format(height == 31 and ": log from %d" or ": height %d, index %d", height == 31 and index or height, index))
end

local function have_range(cursor, tree)
  cursor:add(tree, "state", 1)
  local first = cursor:number(tree, "range_first", 3)
  tree:append_text(string.format(": from block %d, %d blocks", first, cursor:number(tree, "range_blocks", 2)))
end

local function range(cursor, tree)
  local first = cursor:number(tree, "range_first", 4)
  tree:append_text(string.format(": from block %d, %d blocks", first, cursor:number(tree, "range_blocks", 2)))
end

local function want(cursor, tree)
  local block = cursor:number(tree, "block", 4)
  local wanted, item = cursor:add(tree, "wanted", 8)
  if not wanted then return end
  local chunks = {}
  for chunk = 0, 63 do
    if wanted:bitfield(chunk, 1) == 1 then chunks[#chunks + 1] = chunk end
  end
  tree:append_text(string.format(": block %d, %d chunks", block, #chunks))
  item:append_text(" (" .. table.concat(chunks, " ") .. ")")
end

local function bulk_prefix(cursor, tree)
  cursor:add(tree, "sent_at", 4)
  cursor:add(tree, "echo", 2)
  local hold, item = cursor:number(tree, "hold", 2)
  if item then item:append_text(hold == 0xffff and " (that long or longer)" or string.format(" (%d us)", hold * 16)) end
end

-- What follows the header, by tag. Each gives what the info column says of it.
local bodies = {
  [0x01] = function(cursor, tree) cursor:add(tree, "padding", cursor:left()) end,
  [0x02] = function(cursor, tree)
    cursor:add(tree, "cookie", 20)
    local version = cursor:number(tree, "list_version", 4)
    local count = cursor:number(tree, "entry_count", 1)
    cursor:each(tree, "entry", count, entry)
    return version > 0 and string.format("preview of version %d, %d peers", version, count) or nil
  end,
  [0x03] = function(cursor, tree)
    cursor:add(tree, "cookie", 20)
    local ttl = cursor:number(tree, "ttl", 4)
    offers(cursor, tree)
    return string.format("ttl=%d s", ttl)
  end,
  [0x04] = function(cursor, tree)
    cursor:add(tree, "epoch", 8)
    local peer = cursor:number(tree, "peer", 4)
    cursor:add(tree, "ttl_left", 4)
    cursor:add(tree, "heartbeat", 2)
    return string.format("peer=%d version=%d", peer, cursor:number(tree, "list_version", 4))
  end,
  [0x05] = function(cursor, tree)
    local version = cursor:number(tree, "list_version", 4)
    cursor:add(tree, "ttl_left", 4)
    return string.format("version=%d", version)
  end,
  [0x06] = function(cursor, tree)
    cursor:add(tree, "epoch", 8)
    local version = cursor:number(tree, "list_version", 4)
    local from = cursor:number(tree, "list_base", 4)
    local number = cursor:number(tree, "list_page", 2)
    local pages = cursor:number(tree, "list_pages", 2)
    cursor:each(tree, "entry", cursor:number(tree, "entry_count", 1), entry)
    return string.format("version=%d base=%d page %d of %d", version, from, number, pages)
  end,
  [0x07] = function(cursor, tree)
    cursor:add(tree, "epoch", 8)
    local version = cursor:number(tree, "list_version", 4)
    local from = cursor:number(tree, "list_base", 4)
    return string.format("version=%d base=%d page %d", version, from, cursor:number(tree, "list_page", 2))
  end,
  [0x08] = function(cursor, tree)
    local reason = cursor:number(tree, "reason", 1)
    return REASONS[reason]
  end,
  [0x09] = function(cursor, tree)
    local code = cursor:number(tree, "code", 1)
    local about = cursor:number(tree, "about", 1)
    return string.format("%s about %s", CODES[code] or code, TAGS[about] or about)
  end,
  [0x10] = function(cursor, tree)
    cursor:add(tree, "member", 8)
    cursor:add(tree, "root", 32)
    local statement = cursor:number(tree, "statement", 4)
    local credit = cursor:number(tree, "credit", 4)
    local rate = cursor:number(tree, "rate", 4)
    cursor:add(tree, "horizon", 4)
    cursor:add(tree, "largest", 4)
    cursor:add(tree, "proof", 4)
    cursor:add(tree, "chunk_size", 2)
    cursor:add(tree, "datagram", 2)
    cursor:add(tree, "probe", 2)
    local pages = cursor:number(tree, "page_count", 1)
    local ranges = cursor:number(tree, "range_count", 1)
    local blocks = cursor:number(tree, "block_count", 1)
    cursor:each(tree, "page", pages, page)
    cursor:each(tree, "range", ranges, range)
    cursor:each(tree, "want", blocks, want)
    return string.format("statement=%d credit=%d rate=%d kbit/s wants=%d+%d+%d", statement, credit, rate, pages, ranges, blocks)
  end,
  [0x11] = function(cursor, tree)
    bulk_prefix(cursor, tree)
    local block = cursor:number(tree, "block", 4)
    local offset = cursor:number(tree, "offset", 2)
    local size = cursor:left()
    cursor:add(tree, "payload", math.max(size, 1))
    return string.format("block=%d offset=%d size=%d", block, offset, size)
  end,
  [0x12] = function(cursor, tree)
  [0x15] = function(cursor, tree)
    bulk_prefix(cursor, tree)
    local from = cursor:number(tree, "have_from", 4)
    local to = cursor:number(tree, "have_to", 4)
    cursor:each(tree, "have_range", cursor:number(tree, "range_count", 1), have_range)
    return string.format("from=%d to=%d", from, to)
  end,
    bulk_prefix(cursor, tree)
    local height = cursor:number(tree, "height", 1)
    local index = cursor:number(tree, "index", 4)
    local count = cursor:number(tree, "hash_count", 1)
    for _ = 1, count do cursor:add(tree, "hash", 32) end
    return string.format("height=%d index=%d hashes=%d", height, index, count)
  end,
  [0x13] = function(cursor, tree) bulk_prefix(cursor, tree) end,
  [0x14] = function(cursor, tree) cursor:add(tree, "padding", cursor:left()) end,
}

-- Whether the header is one of ours. Other protocols' datagrams pass it by chance about once in 3000 times.
local function has_header(tvb)
  if tvb:len() < 14 or tvb(0, 1):bitfield(0, 4) ~= 1 then return false end
  local tag = tvb(1, 1):uint()
  if TAGS[tag] == nil then return false end
  if bit.band(tvb(0, 1):bitfield(4, 4), bit.bnot(FLAGS_ALLOWED[tag] or 0)) ~= 0 then return false end
  return tvb(2, 8):uint64() ~= UInt64(0) and tvb(10, 4):uint() ~= 0
end

-- Whether the length is right as well, where the fields at fixed places tell.
local function has_length(tvb)
  local tag, size = tvb(1, 1):uint(), tvb:len()
  if size < BYTES[tag][1] or size > BYTES[tag][2] then return false end
  if tag == 0x10 then
    return size == 83 + tvb(80, 1):uint() * 5 + tvb(81, 1):uint() * 6 + tvb(82, 1):uint() * 12
  end
  if tag == 0x11 then return tvb(26, 2):uint() + size - 28 <= 65536 and tvb(22, 1):uint() == 0 end
  if tag == 0x12 then return size == 28 + tvb(27, 1):uint() * 32 end
  return true
end

function proto.dissector(tvb, pinfo, root)
  if not has_header(tvb) then return 0 end
  pinfo.cols.protocol = "peer-udp"
  local tree = root:add(proto, tvb())
  local cursor = Cursor.new(tvb)
  for _, name in ipairs({ "version", "ack", "retransmitted", "app_limited" }) do tree:add(field[name], tvb(0, 1)) end
  cursor.at = 1
  local tag = cursor:number(tree, "tag", 1)
  cursor:add(tree, "session", 8)
  local sequence = cursor:number(tree, "sequence", 4)
  local size = tvb:len()
  local info = bodies[tag](cursor, tree)
  pinfo.cols.info = string.format("%s %d%s", TAGS[tag], sequence, info and " " .. info or "")
  tree:append_text(string.format(", %s %d", TAGS[tag], sequence))
  if cursor.short or cursor:left() > 0 or size < BYTES[tag][1] or size > BYTES[tag][2] then
    tree:add_proto_expert_info(malformed, string.format("Malformed: %d octets do not fit this %s", size, TAGS[tag]))
  end
  return size
end

local function heuristic(tvb, pinfo, root)
  if not has_header(tvb) or not has_length(tvb) then return false end
  proto.dissector(tvb, pinfo, root)
  return true
end

local ports = DissectorTable.get("udp.port")
local port = proto.prefs.port
ports:add(port, proto)
proto:register_heuristic("udp", heuristic)

function proto.prefs_changed()
  if proto.prefs.port == port then return end
  ports:remove(port, proto)
  port = proto.prefs.port
  ports:add(port, proto)
end
