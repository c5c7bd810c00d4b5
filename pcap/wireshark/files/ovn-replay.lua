-- What ovn-replay says of a packet, as fields that filters, columns and colours
-- can use. It reads the comments of a capture that "ovn-replay run -w" or
-- "verify -w" wrote; a packet without them has no such fields.
-- Wireshark and tshark 4.0 and later.

local ovn = Proto("ovn", "OVN, as ovn-replay replayed it")

local fields = {
  verdict  = ProtoField.string("ovn.verdict", "Verdict", "delivered, dropped, consumed or not known; predicted: what leaves; and of verify: matched, mismatched, missing, unexpected"),
  reason   = ProtoField.string("ovn.reason", "Reason", "Why it was dropped or consumed"),
  inport   = ProtoField.string("ovn.inport", "Inport", "Logical port at which it entered"),
  outport  = ProtoField.string("ovn.outport", "Outport", "Logical port at which it left"),
  called   = ProtoField.string("ovn.called", "Called", "What people call the logical ports, where that is not their name"),
  chassis  = ProtoField.string("ovn.chassis", "Chassis", "Where it was"),
  host     = ProtoField.string("ovn.host", "Host", "Where it was, as people call the chassis"),
  path     = ProtoField.string("ovn.path", "Path", "Datapaths that it crossed"),
  datapath = ProtoField.string("ovn.datapath", "Datapath", "One of them"),
  stage    = ProtoField.string("ovn.stage", "Stage", "Stage where it ended, or the last that it passed"),
  flow     = ProtoField.string("ovn.flow", "Logical flow", "UUID of a logical flow that decided, translated or allowed"),
  acl      = ProtoField.string("ovn.acl", "ACL", "ACL that applied"),
  ct       = ProtoField.string("ovn.ct", "Connection tracking", "A pass through connection tracking"),
  state    = ProtoField.string("ovn.ct.state", "State", "ct_state that a pass found"),
  zone     = ProtoField.uint16("ovn.ct.zone", "Zone", base.DEC),
  nat      = ProtoField.string("ovn.nat", "NAT", "A translation"),
  natstage = ProtoField.string("ovn.nat.stage", "Stage", "Stage that translated"),
  conn     = ProtoField.uint32("ovn.conn", "Connection", base.DEC),
  cause    = ProtoField.string("ovn.cause", "Cause", "Why it did not leave, and which flow decided so; of verify: what a difference comes from"),
  field    = ProtoField.string("ovn.difference", "Difference", "A field that differs: predicted and observed"),
  from     = ProtoField.string("ovn.from", "From", "Captured frame"),
  decided  = ProtoField.string("ovn.decided", "Decided", "By which flow or northbound row it did not leave"),
  decidedstage = ProtoField.string("ovn.decided.stage", "Decided in stage", "Stage of the flow that decided so, which may be one before"),
  answered = ProtoField.string("ovn.answered", "Answered", "What left instead, and where"),
  rerouted = ProtoField.string("ovn.rerouted", "Rerouted", "By which router policy its way was chosen"),
  marked   = ProtoField.string("ovn.marked", "Marked", "The DSCP it was given, and by which QoS rule"),
  untranslated = ProtoField.string("ovn.untranslated", "Not translated back", "Which binding an answer passed by"),
  by       = ProtoField.string("ovn.nat.by", "By", "NAT row or load balancer behind a translation"),
  note     = ProtoField.string("ovn.note", "Note"),
}
ovn.fields = fields

local comments = Field.new("frame.comment")

-- keys are what each line says, by its key.
local keys = {}

-- titles are those of fields that may be longer than the 240 characters that Wireshark
-- shows of an item: what goes on is set below it.
local titles = {
  reason = "Reason", path = "Path", acl = "ACL", ct = "Connection tracking", nat = "NAT", cause = "Cause",
  field = "Difference", from = "From", decided = "Decided", answered = "Answered", note = "Note",
  rerouted = "Rerouted", marked = "Marked", untranslated = "Not translated back", by = "By",
}
local room = 200
local range

-- piece cuts what there is room for off a text, between words if it can.
local function piece(text)
  if #text <= room then return text, "" end
  local head = text:sub(1, room):match("^(.+) ") or text:sub(1, room):match("^(.-)[\192-\255]?[\128-\191]*$")
  return head, text:sub(#head + 1)
end

local function add(tree, name, value)
  if value == nil or value == "" then return end
  local item = tree:add(fields[name], value)
  if titles[name] and #value > room then
    local head, rest = piece(value)
    item:set_text(titles[name] .. ": " .. head .. " …")
    while rest ~= "" do
      head, rest = piece(rest)
      item:add(range, "…" .. head)
    end
  end
  return item:set_generated()
end

local function flows(tree, value)
  for uuid in value:gmatch("%(flow (%x+%-%x+%-%x+%-%x+%-%x+)%)") do add(tree, "flow", uuid) end
end

local function ports(tree, list)
  for name in (list .. ", "):gmatch("(.-), ") do add(tree, "outport", name) end
end

keys["ovn-replay"] = function(tree, value)
  local verdict, rest = value:match("^(%S+)%s*(.*)$")
  if verdict == "predicted" then
    add(tree, "outport", rest:match("^output at (.*)$") or rest:match("^instead at (.*)$"))
  end
  if verdict == "delivered" then ports(tree, rest:gsub("^to ", "", 1)) end
  local observed = rest:match("^at (.*)$")
  if observed then add(tree, "outport", observed) end
  return verdict
end
keys["from"] = function(tree, value)
  add(tree, "from", value)
  add(tree, "inport", value:match("^.* at (.-)$"))
end
-- ending is how a packet ends: why, and in which stage.
local ending
-- A reason begins with the stage, if it came to one: none has blanks, but "table N".
local function dropped(tree, value)
  local text = value:gsub(" %(flow [%x-]+%)$", "")
  add(tree, "reason", text)
  ending.stage, ending.reason = text:match("^([%w_]+): (.*)$")
  if ending.stage == nil then ending.stage, ending.reason = text:match("^(table %d+): (.*)$") end
  ending.reason = ending.reason or text
end
keys["drop"], keys["unknown"] = dropped, dropped
keys["consumed"] = function(tree, value)
  local text, stage = value:match("^(.*) at ([%w_]+)$")
  if stage == nil then text, stage = value:match("^(.*) at (table %d+)$") end
  ending.reason, ending.stage = text or value, stage
  add(tree, "reason", ending.reason)
end
keys["called"] = function(tree, value) add(tree, "called", value:match("^.- is (.*)$")) end
keys["chassis"] = function(tree, value)
  for name in (value .. " > "):gmatch("(.-) > ") do add(tree, "chassis", name) end
end
keys["host"] = function(tree, value)
  for name in (value .. " > "):gmatch("(.-) > ") do add(tree, "host", name) end
end
keys["path"] = function(tree, value)
  add(tree, "path", value)
  for name in (value .. " > "):gmatch("(.-) > ") do add(tree, "datapath", name) end
end
keys["nat"] = function(tree, value)
  local translation, stage = value:match("^(.-) at (.-) %(flow ")
  local item = add(tree, "nat", translation or value)
  add(item, "natstage", stage)
  add(item, "by", value:match("^.- at .- %(flow [%x-]+%) by (.*)$"))
  flows(item, value)
end
keys["acl"] = function(tree, value)
  flows(add(tree, "acl", value), value)
end
keys["ct"] = function(tree, value)
  local pass = add(tree, "ct", value)
  local zone, rest = value:match("^zone (%d+) (.*)$")
  if zone == nil then return end
  add(pass, "zone", tonumber(zone))
  local name, after = rest:match("^(%b()) (.*)$")
  add(pass, "state", ((name and after) or rest):match("^(%S+)"))
end
keys["conn"] = function(tree, value) add(tree, "conn", tonumber(value)) end
keys["flow"] = function(tree, value)
  local uuid, stage = value:match("^(%S+) .* table %d+ (.*)$")
  if uuid == nil then uuid, stage = value:match("^(%S+) .* stage (.*)$") end
  if uuid == nil then return end
  if ending.reason then add(tree, "decidedstage", stage) end
  ending.stage = ending.stage or stage
  if uuid ~= "none" then add(tree, "flow", uuid) end
end
keys["decided"] = function(tree, value)
  add(tree, "decided", value)
  ending.decided = value
end
keys["answered"] = function(tree, value) add(tree, "answered", value) end
keys["rerouted"] = function(tree, value) add(tree, "rerouted", value) end
keys["marked"] = function(tree, value) add(tree, "marked", value) end
keys["untranslated"] = function(tree, value) add(tree, "untranslated", value) end
keys["observed"] = function(tree, value) add(tree, "from", value) end
keys["cause"] = function(tree, value) add(tree, "cause", value) end
keys["difference"] = function(tree, value) add(tree, "field", value) end
keys["note"] = function(tree, value) add(tree, "note", value) end
keys["inferred"] = function(tree, value) add(tree, "note", "inferred: " .. value) end

-- said puts the lines of a packet together: one that goes on in the next does
-- so under the same key, after "…".
local function said()
  local out, last = {}, nil
  for _, comment in ipairs({ comments() }) do
    local key, value = tostring(comment.value):match("^([%w-]+): (.*)$")
    if key and keys[key] and (last or key == "ovn-replay") then
      local more = value:match("^…(.*)$")
      if more and last and last.key == key then
        last.value = last.value .. more
      else
        last = { key = key, value = value }
        out[#out + 1] = last
      end
    end
  end
  return out
end

function ovn.dissector(buffer, pinfo, tree)
  local lines = said()
  if #lines == 0 then return end
  range = buffer(0, 0)
  local verdict = lines[1].value:match("^not known") or lines[1].value:match("^(%S+)")
  local top = tree:add(ovn, range, "OVN, as replayed: " .. piece(lines[1].value))
  add(top, "verdict", verdict)
  ending = {}
  for _, line in ipairs(lines) do keys[line.key](top, line.value) end
  add(top, "stage", ending.stage)
  local cause = ending.reason
  if cause and ending.decided then -- what decided says that it was dropped, or taken
    cause = (cause == "drop" or verdict == "consumed") and ending.decided or cause .. ", " .. ending.decided
  end
  add(top, "cause", cause)
end

register_postdissector(ovn)
