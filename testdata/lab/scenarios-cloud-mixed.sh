# Several behaviours at once, as a day in production has them.

scenario cloud-mixed cloud "security group reject, floating IP, load balancer, DNS, DHCP and SNAT interleaved from several VMs at the same time"
setup_cloud_mixed() {
    cloud_lb web tcp '"203.0.113.200:80"="10.1.0.12:80,10.2.0.14:80"'
    acl web to-lport 1010 'outport == @web && tcp.dst == 8080' reject
    local u; u=$(nb create dns 'records={"vm1.cloud.example"="10.1.0.11 fd01:a::11"}'); nb set logical_switch net-a dns_records="$u"
    u=$(nb create dhcp_options cidr=10.1.0.0/24 'options={server_id="10.1.0.1",server_mac="fa:16:3e:aa:0a:01",lease_time="600",router="10.1.0.1"}'); nb lsp-set-dhcpv4-options vm2 "$u"
}
traffic_cloud_mixed() {
    local jobs= 
    ( get ext2 203.0.113.200 80 -s 57001; get ext2 $FIP1 80 -s 57002; get ext2 $FIP3 8080 -s 57003 ) & jobs+=" $!"
    ( get vm1 10.2.0.13 80 -s 57004; get vm1 203.0.113.50 80 -s 57005; get vm1 $FIP3 80 -s 57006 ) & jobs+=" $!"
    ( get vm4 203.0.113.50 80 -s 57005; get vm4 fd01:a::12 8080 -s 57007; pings vm4 2 203.0.113.1 ) & jobs+=" $!"
    ( craft vm2 'bootp(0x401, "discover")' "ask('203.0.113.50', 'vm1.cloud.example', 'A', 1, src='10.1.0.12', to='fa:16:3e:aa:0a:01')"; get vm2 203.0.113.200 80 -s 57008 -w 1 ) & jobs+=" $!"
    wait $jobs
}
