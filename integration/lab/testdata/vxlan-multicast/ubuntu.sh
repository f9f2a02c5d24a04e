# The article's commands.
ip link add vxlan0 type vxlan id 42 group 239.1.1.1 dev eth1
ip link set up vxlan0
ip a add 10.0.1.1/24 dev vxlan0
