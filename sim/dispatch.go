package sim

import (
	"ovnreplay/sim/lflow"
	"ovnreplay/sim/table"
)

// handler runs the operations of a code: one of its two is set.
type handler struct {
	stays func(*Engine, *pkt, *table.Flow, *table.Op)                      // the packet goes on to the next action
	moves func(*Engine, *pkt, *table.Flow, *table.Op, place) (place, bool) // it may go on in another table
}

// What each code of an operation, each result and each bare word does: a test
// fails where one has nothing. They are set in init, for running a block or
// what a packet leads to runs operations again.
var (
	handlers       [table.Codes]handler
	resultHandlers [lflow.ResultOps]func(*Engine, *pkt, *table.Flow) bool
	plainHandlers  [lflow.PlainOps]func(*Engine, *pkt, *table.Flow)
)

func init() {
	handlers = [table.Codes]handler{
		table.Output:       {moves: (*Engine).outputs},
		table.Drop:         {stays: (*Engine).drops},
		table.Next:         {moves: (*Engine).next},
		table.Load:         {stays: (*Engine).load},
		table.LoadOVNField: {stays: (*Engine).loadOVNField},
		table.Move:         {stays: (*Engine).move},
		table.Exchange:     {stays: (*Engine).exchange},
		table.Push:         {stays: (*Engine).push},
		table.Pop:          {stays: (*Engine).pop},
		table.DecTTL:       {stays: (*Engine).decTTL},

		table.CTNext:         {moves: (*Engine).track},
		table.CTCommit:       {stays: (*Engine).commit},
		table.CTCommitToZone: {moves: (*Engine).track},
		table.CTNAT:          {moves: (*Engine).track},
		table.CTLB:           {moves: (*Engine).track},
		table.CTClear:        {stays: (*Engine).clearCT},
		table.CTSNATToVIP:    {stays: (*Engine).hairpinSNAT},
		table.CTStateSave:    {stays: (*Engine).saveCTState},
		table.CTOriginal:     {stays: (*Engine).original},

		table.Nested: {moves: (*Engine).nested},

		table.GetMACBind:    {moves: (*Engine).getMACBind},
		table.PutMACBind:    {stays: (*Engine).putMACBind},
		table.LookupMACBind: {stays: (*Engine).lookupMACBind},
		table.PutFDB:        {stays: (*Engine).putFDB},
		table.GetFDB:        {stays: (*Engine).getFDB},
		table.GetRemoteFDB:  {stays: (*Engine).getRemoteFDB},
		table.LookupFDB:     {stays: (*Engine).lookupFDB},

		table.PutOpts:           {stays: (*Engine).putOptions},
		table.DHCPRelay:         {stays: (*Engine).relay},
		table.Result:            {stays: (*Engine).result},
		table.Plain:             {stays: (*Engine).plain},
		table.CheckPktLarger:    {stays: (*Engine).checkLarger},
		table.Note:              {stays: func(*Engine, *pkt, *table.Flow, *table.Op) {}},
		table.Log:               {stays: (*Engine).logged},
		table.ServiceCheck:      {stays: (*Engine).serviceCheck},
		table.BindVport:         {stays: (*Engine).bindVport},
		table.FwdGroup:          {moves: (*Engine).forward},
		table.Select:            {moves: (*Engine).selectMember},
		table.CommitECMPNextHop: {stays: (*Engine).commitECMP},
		table.CommitLBAffinity:  {stays: (*Engine).commitAffinity},
		table.Mirror:            {stays: (*Engine).mirror},
		table.CheckEVPNARP:      {stays: (*Engine).checkEVPNARP},
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
