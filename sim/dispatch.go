package sim

import (
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/table"
)

// handler runs the operations of a code: one of its two is set.
type handler struct {
	// the packet goes on to the next action
	stays func(*Engine, *pkt, *table.Flow, *table.Op)
	moves func(*Engine, *pkt, *table.Flow, *table.Op, position) (position, bool) // it may go on in another table
}

// What each code of an operation, each result and each bare word does: a test
// fails where one has nothing. They are set in init, for running a block or
// what a packet leads to runs operations again.
var (
	handlers       [lflow.OpCodes]handler
	resultHandlers [lflow.ResultOps]func(*Engine, *pkt, *table.Flow) bool
	plainHandlers  [lflow.PlainOps]func(*Engine, *pkt, *table.Flow)
)

func init() {
	handlers = [lflow.OpCodes]handler{
		lflow.OpOutput:       {moves: (*Engine).outputs},
		lflow.OpDrop:         {stays: (*Engine).drops},
		lflow.OpNext:         {moves: (*Engine).next},
		lflow.OpLoad:         {stays: (*Engine).load},
		lflow.OpLoadOVNField: {stays: (*Engine).loadOVNField},
		lflow.OpMove:         {stays: (*Engine).move},
		lflow.OpExchange:     {stays: (*Engine).exchange},
		lflow.OpPush:         {stays: (*Engine).push},
		lflow.OpPop:          {stays: (*Engine).pop},
		lflow.OpDecTTL:       {stays: (*Engine).decTTL},

		lflow.OpCTNext:         {moves: (*Engine).track},
		lflow.OpCTCommit:       {stays: (*Engine).commit},
		lflow.OpCTCommitToZone: {moves: (*Engine).track},
		lflow.OpCTNAT:          {moves: (*Engine).track},
		lflow.OpCTLB:           {moves: (*Engine).track},
		lflow.OpCTClear:        {stays: (*Engine).clearCT},
		lflow.OpCTSNATToVIP:    {stays: (*Engine).hairpinSNAT},
		lflow.OpCTStateSave:    {stays: (*Engine).saveCTState},
		lflow.OpCTOriginal:     {stays: (*Engine).original},

		lflow.OpNested: {moves: (*Engine).nested},

		lflow.OpGetMACBind:    {moves: (*Engine).getMACBind},
		lflow.OpPutMACBind:    {stays: (*Engine).putMACBind},
		lflow.OpLookupMACBind: {stays: (*Engine).lookupMACBind},
		lflow.OpPutFDB:        {stays: (*Engine).putFDB},
		lflow.OpGetFDB:        {stays: (*Engine).getFDB},
		lflow.OpGetRemoteFDB:  {stays: (*Engine).getRemoteFDB},
		lflow.OpLookupFDB:     {stays: (*Engine).lookupFDB},

		lflow.OpPutOpts:           {stays: (*Engine).putOptions},
		lflow.OpDHCPRelay:         {stays: (*Engine).relay},
		lflow.OpResult:            {stays: (*Engine).result},
		lflow.OpPlain:             {stays: (*Engine).plain},
		lflow.OpCheckPktLarger:    {stays: (*Engine).checkLarger},
		lflow.OpNote:              {stays: func(*Engine, *pkt, *table.Flow, *table.Op) {}},
		lflow.OpLog:               {stays: (*Engine).logged},
		lflow.OpServiceCheck:      {stays: (*Engine).serviceCheck},
		lflow.OpBindVport:         {stays: (*Engine).bindVport},
		lflow.OpFwdGroup:          {moves: (*Engine).forward},
		lflow.OpSelect:            {moves: (*Engine).selectMember},
		lflow.OpCommitECMPNextHop: {stays: (*Engine).commitECMP},
		lflow.OpCommitLBAffinity:  {stays: (*Engine).commitAffinity},
		lflow.OpMirror:            {stays: (*Engine).mirror},
		lflow.OpCheckEVPNARP:      {stays: (*Engine).checkEVPNARP},
	}
	resultHandlers = [lflow.ResultOps]func(*Engine, *pkt, *table.Flow) bool{
		lflow.DNSLookup:           nil, // it turns the packet into the answer: see result
		lflow.CheckLBHairpin:      func(e *Engine, p *pkt, _ *table.Flow) bool { return e.checkHairpin(p) },
		lflow.CheckLBHairpinReply: func(e *Engine, p *pkt, _ *table.Flow) bool { return e.hairpinReply(p) },
		lflow.CheckInPortSec:      func(e *Engine, p *pkt, _ *table.Flow) bool { return !e.portSecurityIn(p) },
		lflow.CheckOutPortSec:     func(e *Engine, p *pkt, _ *table.Flow) bool { return !e.portSecurityOut(p) },
		lflow.CheckECMPNextHopMAC: func(e *Engine, p *pkt, _ *table.Flow) bool { return e.checkECMP(p, true) },
		lflow.CheckECMPNextHop:    func(e *Engine, p *pkt, _ *table.Flow) bool { return e.checkECMP(p, false) },
		lflow.CheckLBAffinity:     (*Engine).checkAffinity,
	}
	plainHandlers = [lflow.PlainOps]func(*Engine, *pkt, *table.Flow){
		lflow.IGMP:              (*Engine).snoop,
		lflow.HandleDHCPv6Reply: (*Engine).serverReply,
		lflow.HandleBFDMsg:      (*Engine).consumed,
		lflow.FloodRemote:       (*Engine).floodRemote,
		lflow.MACCacheUse:       (*Engine).unchanged,
	}
}
